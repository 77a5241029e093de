"""The readers of this process: made, ended when their stream ends, and all closed at a drain."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping

from shared.errors import ClientError
from shared.metrics import web as metrics
from web.access.principal import Principal
from web.readers.reader import RunReader
from web.readers.sessions.follower import Follower
from web.resume.membership import Membership
from web.sockets.connections import Connection, Connections
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)

LOOK_EVERY = 0.02  # seconds
LEFT_LOOK_EVERY = 1.0  # seconds between two looks for clients that have left
COST = 100e-6  # seconds that it takes to wake a reader and to write what there is for it
SHARE = 0.5  # of a core, for all of that
LEAST_REST = 0.01  # seconds; a shorter one is not worth its timer
AT_ONCE = 200  # readers that are looked at before others get their turn


AnyReader = RunReader | Follower


class TooManyStreams(ClientError):
    """This user has as many sockets and streams as one may have; close some first."""

    code = "too_many_streams"


class Readers:
    """A reader is a connection without a socket: it counts among those of its owner."""

    def __init__(
        self,
        connections: Connections,
        backoff: ReconnectBackoff,
        *,
        per_owner: int,
        most_chunks: int,
        most_bytes: int,
    ) -> None:
        """`per_owner`: sockets and readers. `most_chunks`, `most_bytes`: what may wait for one."""
        self._connections = connections
        self._backoff = backoff
        self._per_owner = per_owner
        self._most = {"most_chunks": most_chunks, "most_bytes": most_bytes}
        self._by_sid: dict[str, AnyReader] = {}
        self._closing = False

    @property
    def by_sid(self) -> Mapping[str, AnyReader]:
        """The readers as of now, also later."""
        return self._by_sid

    @property
    def is_closing(self) -> bool:
        """Whether new readers should go elsewhere."""
        return self._closing

    @staticmethod
    def end(reader: AnyReader) -> None:
        """End its stream now."""
        reader.end()

    def all(self) -> list[AnyReader]:
        """The readers of this moment."""
        return list(self._by_sid.values())

    def rest(self) -> float:
        """Seconds for which each reader lets its frames gather: with many of them, one write for
        every frame would take the whole process."""
        seconds = len(self._by_sid) * COST / SHARE
        return seconds if seconds >= LEAST_REST else 0.0

    def nudge_those_that_left(self) -> None:
        """Have comments sent to readers whose clients have closed their connections: what is sent
        to one that is gone fails, and its stream ends, instead of counting until the next event. A
        client that has only closed its half goes on reading."""
        for number, reader in enumerate(self.all()):
            if number % AT_ONCE == AT_ONCE - 1:
                time.sleep(0)
            if reader.has_left():
                reader.nudge()

    def add(
        self,
        principal: Principal,
        profile: str,
        run_id: str,
        cut: Callable[[], None],
        has_left: Callable[[], bool] = lambda: False,
    ) -> RunReader:
        """A new reader of a run. Raises TooManyStreams."""
        connection = self._connection(principal, profile)
        reader = RunReader(
            connection,
            run_id,
            principal,
            cut=cut,
            has_left=has_left,
            rest=self.rest,
            **self._most,
        )
        self._by_sid[connection.sid] = reader
        return reader

    def add_follower(
        self,
        principal: Principal,
        profile: str,
        session_id: str,
        cut: Callable[[], None],
        has_left: Callable[[], bool] = lambda: False,
    ) -> Follower:
        """A new reader of a session. Raises TooManyStreams."""
        connection = self._connection(principal, profile)
        follower = Follower(
            connection,
            session_id,
            principal,
            cut=cut,
            has_left=has_left,
            rest=self.rest,
            **self._most,
        )
        self._by_sid[connection.sid] = follower
        return follower

    def check_room(self, owner: str) -> None:
        """Whether this user may have one more now. Raises TooManyStreams."""
        if self._connections.of_owner(owner) >= self._per_owner:
            raise TooManyStreams

    def _connection(self, principal: Principal, profile: str) -> Connection:
        self.check_room(principal.owner)
        sid = f"reader-{uuid.uuid4().hex}"
        # It is the reader whose principal is watched, as its end is not that of a socket.
        connection = Connection(sid, "", principal.owner, profile, receives_own_aborts=True)
        self._connections.add(connection)
        return connection

    def remove(self, reader: AnyReader, membership: Membership) -> None:
        """The reader's stream is over. May be called twice."""
        sid = reader.connection.sid
        if self._by_sid.pop(sid, None) is None:
            return
        reader.close()
        self._connections.remove(sid)
        if reader.was_slow:
            self._backoff.closed_slow(reader.connection.feeds)
            metrics.TOO_SLOW.labels("reader").inc()
            log.warning("reader.too_slow %s chunks=%s", reader.reads, self._most["most_chunks"])
        membership.leave_all(reader.connection)

    def wait_if_slow(self, tag: str) -> None:
        """Wait, if readers of this session were too slow of late (R31)."""
        self._backoff.wait(tag)

    def close_all(self, within: float) -> None:
        """End all streams, spread over half the time, so that their clients go elsewhere; return
        when they are over, or when the time is."""
        self._closing = True
        readers = self.all()
        deadline = time.monotonic() + within
        pause = min(0.01, within / 2 / max(len(readers), 1))
        for reader in readers:
            reader.close()
            time.sleep(pause)
        while self._by_sid and time.monotonic() < deadline:
            threading.Event().wait(LOOK_EVERY)
        log.info("web.readers_closed count=%s left=%s", len(readers), len(self._by_sid))
