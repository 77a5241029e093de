"""The body of a reader's response: what was, what follows, comments while nothing comes.

It never ends by itself while the run is live, except at a drain, when the session is deleted, or
when the reader is too slow; then it ends without the comment that gateways close a stream with, and
the client comes back with the id of the last event. Each piece has a deadline by which the client
has to read it, as other answers have as a whole.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator

from shared.errors import HoldfastError, NotFound, Unavailable
from web.readers.frames import CLOSED, KEEPALIVE, OPENED
from web.readers.opening import Opening
from web.readers.reader import RunReader
from web.readers.readers import Readers
from web.readers.replay import End, Start
from web.resume.membership import Membership
from web.server.timed_body import TimedBody

log = logging.getLogger(__name__)

KEEPALIVE_EVERY = 15.0  # seconds
RETRY_EVERY = 1.0  # seconds, while Redis or the database does not answer
CHUNK = 1 << 16  # bytes written at once


class EventStream(TimedBody):
    """Iterate over it once; `close` ends the reader wherever it is."""

    def __init__(
        self,
        reader: RunReader,
        start: Start,
        *,
        opening: Opening,
        readers: Readers,
        membership: Membership,
        within: Callable[[float | None], None],
    ) -> None:
        """`within(seconds)`: the client has so long to read the next piece; None: no limit."""
        self._reader = reader
        self._start = start
        self._opening = opening
        self._readers = readers
        self._membership = membership
        super().__init__(self._all(), within)

    @property
    def has_nothing(self) -> bool:
        """Whether its reader has it all already, the end included."""
        return self._start.is_over and not self._start.frames and self._start.end is None

    def close(self) -> None:
        """The response is over, or the client has left."""
        self._readers.remove(self._reader, self._membership)

    def _all(self) -> Iterator[bytes]:
        yield OPENED
        yield from self._first(self._start)
        over = self._start.is_over
        while not over:
            items = self._reader.take(KEEPALIVE_EVERY)
            yield from joined([item for item in items if isinstance(item, bytes)])
            ends = [item for item in items if isinstance(item, End)]
            if ends:
                yield self._ended(ends[-1])
                over = True
            elif self._reader.is_closed:
                return
            elif self._reader.is_lost:
                start = self._open_again()
                if start is None:
                    yield KEEPALIVE
                else:
                    yield from self._first(start)
                    over = start.is_over
            elif not items:
                yield KEEPALIVE
        yield CLOSED

    def _first(self, start: Start) -> Iterator[bytes]:
        yield from joined(start.frames)
        if start.end is not None:
            yield self._ended(start.end)

    def _ended(self, end: End) -> bytes:
        owner = self._reader.connection.owner
        return self._opening.end_frame(owner, self._reader.run_id, end, end.place)

    def _open_again(self) -> Start | None:
        """Go on from the reader's place, as if it had come back with its id; None if that has to be
        tried again."""
        try:
            return self._opening.open(self._reader, self._reader.place)
        except NotFound:
            return Start([], self._reader.place, is_over=True)
        except Unavailable as error:
            log.info("reader.waits run_id=%s code=%s", self._reader.run_id, error.code)
        except HoldfastError:
            log.exception("reader.not_opened run_id=%s", self._reader.run_id)
            self._reader.close()
        time.sleep(RETRY_EVERY)
        return None


def joined(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The frames in chunks that are worth a write."""
    waiting: list[bytes] = []
    size = 0
    for one in frames:
        waiting.append(one)
        size += len(one)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
