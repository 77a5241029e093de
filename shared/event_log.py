"""The log of runs in Redis: install, append, announce, read. It knows keys and scripts, not runs.

The scripts are the only writers; each is one atomic step (docs/adr/0001).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from shared.errors import RedisAway
from shared.redis_clients import Commands
from shared.redis_keys import RunKeys, bell, live_runs

__all__ = ["Append", "Batch", "EventLog", "Installed", "LogView", "Status"]


class Status(StrEnum):
    """What a script answered."""

    OK = "OK"
    GONE = "GONE"
    NOLOG = "NOLOG"
    FENCED = "FENCED"
    MISMATCH = "MISMATCH"
    ENDED = "ENDED"
    ALREADY = "ALREADY"


@dataclass(frozen=True)
class Batch:
    """Entries head+1 … of a run, frozen: sent again they are the same bytes (R16)."""

    keys: RunKeys
    fence: int
    head: int
    entries: tuple[bytes, ...]


@dataclass(frozen=True)
class Append:
    """The answer to one batch; `head` is the log's last seq, where the script told it."""

    status: Status
    head: int | None = None


@dataclass(frozen=True)
class Installed:
    """The answer to an install."""

    status: Status
    head: int = 0


@dataclass(frozen=True)
class LogView:
    """A run's log at one moment. `entries[0]` has seq `first`; before it stands the checkpoint."""

    run_id: str
    epoch: int
    fence: int
    head: int
    base: int
    ended: bool
    first: int
    entries: list[bytes]
    checkpoint: bytes | None


class EventLog:
    """All methods raise RedisAway when Redis does not answer or has no memory left."""

    def __init__(self, redis: Commands, ttl: timedelta) -> None:
        self._redis = redis
        self._ttl = int(ttl.total_seconds())
        self._scripts = {
            name: _Script(redis, name) for name in ("install", "append", "announce", "checkpoint")
        }

    def install(
        self,
        keys: RunKeys,
        *,
        fence: int,
        epoch: int,
        min_head: int,
        create: bool,
        base: int = 0,
        checkpoint: bytes = b"",
        entries: Sequence[bytes] = (),
    ) -> Installed:
        """Take the log for `fence`. Ask again with `create` after GONE, with what memory has.

        `min_head` is the last seq that somebody may have seen; a log behind it is GONE (R17).
        """
        names = [keys.meta, keys.log, keys.checkpoint, keys.live, keys.bell]
        head = [keys.run_id, fence, epoch, min_head, int(create), self._ttl, base, checkpoint]
        with _away():
            answer = self._scripts["install"](names, [*head, *entries])
        return Installed(Status(answer[0].decode()), int(answer[-1]))

    def append(self, batches: Sequence[Batch]) -> list[Append]:
        """One round trip for all batches; the answers in their order."""
        script = self._scripts["append"]
        calls = [
            (
                [batch.keys.meta, batch.keys.log, batch.keys.bell],
                [batch.keys.run_id, batch.fence, batch.head, self._ttl, *batch.entries],
            )
            for batch in batches
        ]
        with _away():
            answers = script.many(calls)
        return [
            Append(Status(answer[0].decode()), int(answer[1]) if len(answer) > 1 else None)
            for answer in answers
        ]

    def announce(
        self, keys: RunKeys, *, fence: int, epoch: int, terminal_seq: int, entries: Sequence[bytes]
    ) -> None:
        """Write the run's last entries, the last at `terminal_seq`; again changes nothing."""
        names = [keys.meta, keys.log, keys.checkpoint, keys.live, keys.bell]
        arguments = [keys.run_id, fence, epoch, terminal_seq, self._ttl, *entries]
        with _away():
            self._scripts["announce"](names, arguments)

    def checkpoint(self, keys: RunKeys, *, fence: int, seq: int, fold: bytes) -> None:
        """Let `fold` stand for the entries up to `seq`."""
        with _away():
            self._scripts["checkpoint"](
                [keys.meta, keys.log, keys.checkpoint], [fence, seq, fold, self._ttl]
            )

    def read(self, wanted: Sequence[tuple[RunKeys, int]]) -> list[LogView | None]:
        """Each run's log after a seq (0: with the checkpoint), at one moment; None: no such log."""
        with _away():
            pipe = self._redis.pipeline(transaction=True)
            for keys, after in wanted:
                pipe.hmget(keys.meta, "epoch", "fence", "head", "base", "ended")
                pipe.get(keys.checkpoint)
                pipe.xrange(keys.log, f"{after + 1}-0")
            answers = pipe.execute() if wanted else []
        triples = zip(answers[::3], answers[1::3], answers[2::3], strict=True)
        return [
            _view(keys.run_id, *triple) for (keys, _), triple in zip(wanted, triples, strict=True)
        ]

    def live(self, tags: Sequence[str]) -> list[list[str]]:
        """The ids of the runs of each session that have a log and no announced end."""
        with _away():
            pipe = self._redis.pipeline(transaction=False)
            for tag in tags:
                pipe.hkeys(live_runs(tag))
            answers = pipe.execute() if tags else []
        return [[run_id.decode() for run_id in answer] for answer in answers]

    def heads(self, runs: Sequence[RunKeys]) -> list[tuple[int, int] | None]:
        """(epoch, head) of each run; None: no such log."""
        with _away():
            pipe = self._redis.pipeline(transaction=False)
            for keys in runs:
                pipe.hmget(keys.meta, "epoch", "head")
            answers = pipe.execute() if runs else []
        return [(int(epoch), int(head)) if epoch else None for epoch, head in answers]

    def refresh(self, runs: Iterable[RunKeys]) -> None:
        """Renew the TTL of everything that belongs to these runs (R30)."""
        with _away():
            pipe = self._redis.pipeline(transaction=False)
            for keys in runs:
                for name in (keys.meta, keys.log, keys.checkpoint, keys.live):
                    pipe.expire(name, self._ttl)
            pipe.execute()

    def ring(self, tag: str, data: bytes) -> None:
        """Publish a session event (`events.session_bell`)."""
        with _away():
            self._redis.publish(bell(tag), data)


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise RedisAway(f"Redis: {type(error).__name__}") from error


class _Script:
    """A Lua file, called by its hash, loaded when the server does not know it (R16)."""

    def __init__(self, redis: Commands, name: str) -> None:
        self._redis = redis
        self._source = resources.files("shared").joinpath("lua", f"{name}.lua").read_text("utf-8")
        self._sha = ""

    def __call__(self, keys: Sequence[str], arguments: Sequence[Any]) -> list[bytes]:
        def call() -> Any:
            return self._redis.evalsha(self._hash(), len(keys), *keys, *arguments)

        answer: list[bytes] = self._loading(call)
        return answer

    def many(self, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[list[bytes]]:
        """The same script for each (keys, arguments), in one round trip."""

        def run() -> Any:
            pipe = self._redis.pipeline(transaction=False)
            for keys, arguments in calls:
                pipe.evalsha(self._hash(), len(keys), *keys, *arguments)
            return pipe.execute()

        answers: list[list[bytes]] = self._loading(run)
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


def _view(
    run_id: str, meta: list[bytes | None], checkpoint: bytes | None, rows: list[Any]
) -> LogView | None:
    epoch, fence, head, base, ended = meta
    if epoch is None or fence is None or head is None:
        return None
    entries = [fields[b"d"] for _, fields in rows]
    return LogView(
        run_id=run_id,
        epoch=int(epoch),
        fence=int(fence),
        head=int(head),
        base=int(base or 0),
        ended=ended is not None,
        first=int(rows[0][0].partition(b"-")[0]) if rows else int(head) + 1,
        entries=entries,
        checkpoint=checkpoint,
    )
