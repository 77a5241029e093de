"""The event logs of runs in Redis: install, append, announce, read.

Problem: the owner of a run may freeze and wake up when another worker has taken the run; Redis may
lose a reply, or all of its data; and every reader must see the same events, once, in order.
Idea: a log is a stream whose entry ids are the seqs 1, 2, 3 … of an epoch, with a hash beside it
that has fence, epoch, head (the last seq) and end. Each write is one Lua script, which is atomic
(docs/adr/0001): it compares the fence and the head that the writer expects, writes, and publishes
the same entries. A batch that is sent again after a lost reply is recognized and not written twice.
The oldest entries may be replaced by their fold, a checkpoint.
Invariant: only the owner with the highest fence that was installed can append; an entry, once
published, keeps its seq within its epoch; there is no gap; `announce` writes the last entry, and
nothing follows it. What Redis lost is made anew by the owner, or, with a new epoch, by the next.
The logs of a session are all on one server, which its tag chooses (docs/adr/0013).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from redis.exceptions import RedisError

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, database_of
from shared.event_log.keys import Channels, RunKeys, live_runs
from shared.event_log.script import RedisScript
from shared.event_log.shards import shard_of
from shared.event_log.types import Append, Batch, Installed, KnownRuns, LogView, Status

__all__ = ["Append", "Batch", "EventLog", "Installed", "KnownRuns", "LogView", "Status"]

ENDED = b"ended:"
RECENT = 60  # seconds for which the end of a run is shown by `known`; as in announce.lua
RECENT_ENDS = 32  # at most so many of a session
# Of one call of a script, which takes a millisecond or two: Redis does nothing else meanwhile.
CALL_BATCHES, CALL_BYTES = 64, 1_000_000

T = TypeVar("T")
A = TypeVar("A")


class _Server:
    """One Redis server, with its channels, and the scripts as they are loaded there."""

    def __init__(self, redis: Commands, channels: Channels) -> None:
        self.redis = redis
        self.channels = channels
        self.install = RedisScript(redis, "install")
        self.append = RedisScript(redis, "append")
        self.announce = RedisScript(redis, "announce")
        self.checkpoint = RedisScript(redis, "checkpoint")


class EventLog:
    """The logs of all runs, on one Redis server or several.

    All methods raise RedisUnavailable when Redis does not answer or has no memory left.
    """

    def __init__(self, servers: Sequence[Commands], ttl: timedelta, installation: str) -> None:
        """`servers`: in the same order in every process. `installation`: in names of channels."""
        self._ttl_of_keys = ttl
        self._ttl = int(ttl.total_seconds())
        self._installation = installation
        self._servers = [_Server(redis, self.channels_on(redis)) for redis in servers]

    def channels_on(self, redis: Commands) -> Channels:
        """Return the channels of this installation on a server."""
        return Channels(self._installation, database_of(redis))

    @property
    def channels(self) -> list[Channels]:
        """The channels on each server, in their order."""
        return [server.channels for server in self._servers]

    def split(self) -> list["EventLog"]:
        """Return one EventLog per server, so that a slow server does not delay the others."""
        return [
            EventLog([server.redis], self._ttl_of_keys, self._installation)
            for server in self._servers
        ]

    def _at(self, tag: str) -> _Server:
        return self._servers[shard_of(tag, len(self._servers))]

    def _by_server(
        self,
        wanted: Sequence[A],
        tag_of: Callable[[A], str],
        ask: Callable[[_Server, list[A]], list[T]],
    ) -> list[T]:
        """Return the answers in the order of `wanted`, with one round trip per server."""
        indexes: dict[int, list[int]] = {}
        for index, item in enumerate(wanted):
            indexes.setdefault(shard_of(tag_of(item), len(self._servers)), []).append(index)
        found: dict[int, T] = {}
        with _redis_errors():
            for shard, of_shard in indexes.items():
                answers = ask(self._servers[shard], [wanted[index] for index in of_shard])
                found.update(zip(of_shard, answers, strict=True))
        return [found[index] for index in range(len(wanted))]

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
        """Make `fence` the one that may append to the log of the run.

        `min_head` is the last seq that somebody may have seen: a log that ends before it cannot be
        continued, and the answer is GONE (R17). Then the owner may call again with `create`, and
        with the log as its memory has it: `checkpoint` up to seq `base`, `entries` after it.
        """
        server = self._at(keys.tag)
        names = _names(keys, server.channels)
        head = [keys.run_id, fence, epoch, min_head, int(create), self._ttl, base, checkpoint]
        with _redis_errors():
            answer = server.install(names, [*head, *entries])
        return Installed(Status(answer[0].decode()), int(answer[-1]))

    def append(self, batches: Sequence[Batch]) -> list[Append]:
        """Append all batches in one round trip per server; the answers in their order.

        A batch may be sent again, unchanged, when its answer was lost.
        """

        def ask(server: _Server, some: list[Batch]) -> list[Append]:
            calls = [_append_call(self._ttl, server.channels, one) for one in _by_size(some)]
            return [
                Append(Status(answer[0].decode()), int(answer[1]) if len(answer) > 1 else None)
                for answers in server.append.many(calls)
                for answer in answers
            ]

        return self._by_server(batches, lambda batch: batch.keys.tag, ask)

    def announce(
        self, keys: RunKeys, *, fence: int, epoch: int, terminal_seq: int, entries: Sequence[bytes]
    ) -> None:
        """Write the last entries of the run, of which the very last has the seq `terminal_seq`, and
        publish them. If the run has ended in the log, nothing changes."""
        server = self._at(keys.tag)
        arguments = [keys.run_id, fence, epoch, terminal_seq, self._ttl, *entries]
        with _redis_errors():
            server.announce(_names(keys, server.channels), arguments)

    def checkpoint(self, keys: RunKeys, *, fence: int, seq: int, fold: bytes) -> None:
        """Replace the entries up to `seq` by `fold`, unless the run has another owner."""
        with _redis_errors():
            self._at(keys.tag).checkpoint(
                [keys.meta, keys.log, keys.checkpoint], [fence, seq, fold, self._ttl]
            )

    def read(self, wanted: Sequence[tuple[RunKeys, int]]) -> list[LogView | None]:
        """Read the log of each run after a seq; 0 reads all, and the checkpoint. None: no such log.

        Runs of one session are read in one transaction, so they belong together.
        """

        def ask(server: _Server, some: list[tuple[RunKeys, int]]) -> list[LogView | None]:
            pipe = server.redis.pipeline(transaction=True)
            for keys, after in some:
                pipe.hmget(keys.meta, "epoch", "fence", "head", "base", "ended")
                pipe.get(keys.checkpoint)
                pipe.xrange(keys.log, f"{after + 1}-0")
            answers = pipe.execute()
            triples = zip(answers[::3], answers[1::3], answers[2::3], strict=True)
            return [
                _view(keys.run_id, *triple) for (keys, _), triple in zip(some, triples, strict=True)
            ]

        return self._by_server(wanted, lambda pair: pair[0].tag, ask)

    def known(self, tags: Sequence[str]) -> list[KnownRuns]:
        """Return, for each session, its runs that have a log and are live, or ended recently."""

        def ask(server: _Server, some: list[str]) -> list[KnownRuns]:
            pipe = server.redis.pipeline(transaction=False)
            pipe.time()
            for tag in some:
                pipe.hgetall(live_runs(tag))
            (now, _), *answers = pipe.execute()
            return [_known(answer, now) for answer in answers]

        return self._by_server(tags, lambda tag: tag, ask)

    def heads(self, runs: Sequence[RunKeys]) -> list[tuple[int, int] | None]:
        """Return (epoch, head) of each run; None: no such log."""

        def ask(server: _Server, some: list[RunKeys]) -> list[tuple[int, int] | None]:
            pipe = server.redis.pipeline(transaction=False)
            for keys in some:
                pipe.hmget(keys.meta, "epoch", "head")
            return [(int(epoch), int(head)) if epoch else None for epoch, head in pipe.execute()]

        return self._by_server(runs, lambda keys: keys.tag, ask)

    def refresh(self, runs: Iterable[RunKeys]) -> None:
        """Renew the TTL of all keys of these runs (R30)."""

        def ask(server: _Server, some: list[RunKeys]) -> list[None]:
            pipe = server.redis.pipeline(transaction=False)
            for keys in some:
                for name in (keys.meta, keys.log, keys.checkpoint, keys.live):
                    pipe.expire(name, self._ttl)
            pipe.execute()
            return [None] * len(some)

        self._by_server(list(runs), lambda keys: keys.tag, ask)

    def notify(self, tag: str, data: bytes) -> None:
        """Publish on the channel of a session. `data`: of `events.session_notification`."""
        server = self._at(tag)
        with _redis_errors():
            server.redis.publish(server.channels.session(tag), data)


def _names(keys: RunKeys, channels: Channels) -> list[str]:
    """Return what `install.lua` and `announce.lua` take as KEYS."""
    return [keys.meta, keys.log, keys.checkpoint, keys.live, channels.session(keys.tag)]


def _by_size(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Group the batches for one call of the script each."""
    group: list[Batch] = []
    size = 0
    for batch in batches:
        more = sum(map(len, batch.entries))
        if group and (len(group) == CALL_BATCHES or size + more > CALL_BYTES):
            yield group
            group, size = [], 0
        group.append(batch)
        size += more
    if group:
        yield group


def _append_call(
    ttl: int, channels: Channels, batches: Iterable[Batch]
) -> tuple[list[str], list[Any]]:
    """Return keys and arguments for `append.lua`."""
    names: list[str] = []
    arguments: list[Any] = [ttl]
    for batch in batches:
        keys, entries = batch.keys, batch.entries
        names += (keys.meta, keys.log, channels.session(keys.tag))
        arguments += (keys.run_id, batch.fence, batch.head, len(entries), *entries)
    return names, arguments


@contextmanager
def _redis_errors() -> Iterator[None]:
    """Raise RedisUnavailable for errors of the client."""
    try:
        yield
    except RedisError as error:
        raise RedisUnavailable(f"Redis: {type(error).__name__}") from error


def _known(answer: dict[bytes, bytes], now: int) -> KnownRuns:
    """`answer`: run id -> epoch, or `ended:` and the time, in seconds of the clock of Redis."""
    live, ended = [], []
    for run_id, value in answer.items():
        if not value.startswith(ENDED):
            live.append(run_id.decode())
        elif int(value.removeprefix(ENDED)) >= now - RECENT:
            ended.append((int(value.removeprefix(ENDED)), run_id.decode()))
    return KnownRuns(live, [run_id for _, run_id in sorted(ended)][-RECENT_ENDS:])


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
