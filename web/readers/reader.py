"""What waits for one reader: frames in the order in which they are to be sent, within bounds.

A reader is offered frames under its feed's lock, and takes them in the thread of its response. One
that lost its way (a gap, another epoch, a resync of the session) takes no more until it was opened
again at its place, in its own thread.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from web.access.principal import Principal
from web.readers.place import Place
from web.readers.replay import End
from web.sockets.connections import Connection

P = TypeVar("P")
E = TypeVar("E")


class Reader(Generic[P, E]):
    """`P`: what says how far it is. `E`: what waits for it besides frames.

    `offer`, `lose`, `close` and `end` never wait, so they may be called under any lock."""

    def __init__(
        self,
        connection: Connection,
        principal: Principal,
        place: P,
        *,
        most_chunks: int,
        most_bytes: int,
        cut: Callable[[], None],
        has_left: Callable[[], bool] = lambda: False,
        rest: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`cut` breaks its connection; `has_left`: whether its client has closed that. `rest`:
        seconds for which frames gather, when one has come, before they are taken together."""
        self.connection = connection
        self.principal: Principal | None = principal  # by which it came in
        self.place = place  # behind all that was offered
        self.is_lost = False
        self.is_closed = False
        self.was_slow = False
        self._most_chunks = most_chunks
        self._most_bytes = most_bytes
        self._cut = cut
        self.has_left = has_left
        self._rest = rest
        self._items: deque[bytes | E] = deque()
        self._bytes = 0
        self._there = threading.Event()

    def open(self, place: P) -> None:
        """It is at this place now, and is offered what follows."""
        self.place = place
        self.is_lost = False

    def offer(self, chunk: bytes, place: P, end: E | None = None) -> None:
        """Queue frames, behind which the reader is at `place`; a reader for whom too much waits is
        closed instead."""
        if self._queue(chunk, end):
            self.place = place

    def hint(self, chunk: bytes) -> None:
        """Queue a frame that does not change how far the reader is."""
        self._queue(chunk, None)

    def _queue(self, chunk: bytes, end: E | None) -> bool:
        if self.is_closed:
            return False
        if len(self._items) >= self._most_chunks or self._bytes >= self._most_bytes:
            self.was_slow = True
            self.end()
            return False
        if chunk:
            self._items.append(chunk)
            self._bytes += len(chunk)
        if end is not None:
            self._items.append(end)
        self._there.set()
        return True

    def lose(self) -> None:
        """What follows does not continue what it has."""
        self.is_lost = True
        self._there.set()

    def close(self) -> None:
        """Its stream is to end, after what waits."""
        self.is_closed = True
        self._there.set()

    def end(self) -> None:
        """End its stream now: it gets nothing more, not even what waits."""
        self._items.clear()
        self.close()
        self._cut()

    def nudge(self) -> None:
        """Have its stream send a comment now."""
        self._there.set()

    def take(self, seconds: float) -> Sequence[bytes | E]:
        """What waits, waiting for it at most so long."""
        if not self._items and not self.is_closed and not self.is_lost:
            self._there.wait(seconds)
            pause = self._rest() if self._items else 0.0
            if pause and not self.is_closed:
                time.sleep(pause)
        self._there.clear()
        taken: list[bytes | E] = []
        while self._items:
            item = self._items.popleft()
            self._bytes -= len(item) if isinstance(item, bytes) else 0
            taken.append(item)
        return taken


class RunReader(Reader[Place, End]):
    """A reader of one run."""

    def __init__(
        self,
        connection: Connection,
        run_id: str,
        principal: Principal,
        *,
        most_chunks: int,
        most_bytes: int,
        cut: Callable[[], None],
        has_left: Callable[[], bool] = lambda: False,
        rest: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(
            connection,
            principal,
            Place(0, 0),
            most_chunks=most_chunks,
            most_bytes=most_bytes,
            cut=cut,
            has_left=has_left,
            rest=rest,
        )
        self.run_id = run_id

    @property
    def reads(self) -> str:
        """What it reads, for the log."""
        return f"run_id={self.run_id}"
