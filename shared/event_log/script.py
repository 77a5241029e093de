"""Lua scripts, called by their hash, and loaded when the server does not know them (R16)."""

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError

from shared.event_log.clients import Commands


class RedisScript:
    """One script of `shared/event_log/lua` on one server. Calls raise RedisError."""

    def __init__(self, redis: Commands, name: str) -> None:
        self._redis = redis
        self._source = (
            resources.files("shared.event_log").joinpath("lua", f"{name}.lua").read_text("utf-8")
        )
        self._sha = ""

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any]) -> list[bytes]:
        """Run the script and return its answer."""

        def call() -> Any:
            return self._redis.evalsha(self._hash(), len(keys), *keys, *arguments)

        answer: list[bytes] = self._loading(call)
        return answer

    def many(self, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Run the script for several (keys, arguments) in one round trip; the answers in order."""

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
            # The server was restarted or flushed. Calls of a pipeline that did run are recognized
            # by the script when they are sent again.
            self._sha = ""
            return call()
