"""A Lua file, called by its hash, loaded when the server does not know it (R16)."""

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError

from shared.event_log.clients import Commands


class RedisScript:
    """One of `shared/event_log/lua` on one server. Its calls raise RedisError."""

    def __init__(self, redis: Commands, name: str) -> None:
        self._redis = redis
        self._source = (
            resources.files("shared.event_log").joinpath("lua", f"{name}.lua").read_text("utf-8")
        )
        self._sha = ""

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any]) -> list[bytes]:
        """The script's answer."""

        def call() -> Any:
            return self._redis.evalsha(self._hash(), len(keys), *keys, *arguments)

        answer: list[bytes] = self._loading(call)
        return answer

    def many(self, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """The answers to several (keys, arguments), in one round trip."""

        def run() -> Any:
            pipe = self._redis.pipeline(transaction=False)
            for keys, arguments in calls:
                pipe.evalsha(self._hash(), len(keys), *keys, *arguments)
            return pipe.execute()

        answers: list[Any] = self._loading(run)
        return answers

    def _hash(self) -> str:
        self._sha = self._sha or self._redis.script_load(self._source)
        return self._sha

    def _loading(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except NoScriptError:
            # Restarted or flushed since: what did run in a pipeline is recognized when sent again.
            self._sha = ""
            return call()
