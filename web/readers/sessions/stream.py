"""The body of the response to a reader of a session: turn after turn, as long as the client reads.

It ends by itself only when the session is deleted, with the comment that streams of runs end with.
At a drain, or when the reader is too slow, it ends without; the client comes back with its last id.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence

from shared.errors import HoldfastError, NotFound, Unavailable
from web.readers.frames import CLOSED, KEEPALIVE, OPENED, hint
from web.readers.readers import Readers
from web.readers.sessions.catch_up import CatchUp, Piece
from web.readers.sessions.follower import Follower, TurnEnd
from web.readers.stream import KEEPALIVE_EVERY, RETRY_EVERY, joined
from web.resume.membership import Membership
from web.server.timed_body import TimedBody

log = logging.getLogger(__name__)


class SessionStream(TimedBody):
    """Iterate over it once; `close` ends the reader wherever it is."""

    def __init__(
        self,
        follower: Follower,
        state: bytes,
        first: Piece,
        *,
        catch_up: CatchUp,
        readers: Readers,
        membership: Membership,
        within: Callable[[float | None], None],
    ) -> None:
        """`state`: the frame that shows the session; `first`: what follows it."""
        self._follower = follower
        self._catch_up = catch_up
        self._readers = readers
        self._membership = membership
        super().__init__(self._all(state, first), within)

    def close(self) -> None:
        """The response is over, or the client has left."""
        self._readers.remove(self._follower, self._membership)

    def _all(self, state: bytes, first: Piece) -> Iterator[bytes]:
        yield OPENED
        yield state
        piece: Piece | None = first
        while not self._follower.is_closed:
            if piece is None:
                yield KEEPALIVE
            else:
                yield from self._written(piece.items)
                if piece.is_live:
                    yield from self._live()
            piece = self._next()
        yield from self._written(self._follower.take(0))
        if self._follower.is_deleted:
            yield CLOSED

    def _live(self) -> Iterator[bytes]:
        """What is offered, until the reader loses its way or is closed."""
        while not self._follower.is_closed:
            items = self._follower.take(KEEPALIVE_EVERY)
            yield from self._written(items)
            if self._follower.is_lost:
                return
            if not items and not self._follower.is_closed:
                yield KEEPALIVE

    def _written(self, items: Sequence[bytes | TurnEnd]) -> Iterator[bytes]:
        frames = (
            item if isinstance(item, bytes) else self._catch_up.end_frame(self._follower, item)
            for item in items
        )
        yield from joined(frames)

    def _next(self) -> Piece | None:
        """None if that has to be tried again."""
        follower = self._follower
        if follower.is_closed:
            return None
        try:
            return self._catch_up.next(follower)
        except NotFound:
            event = {"event": "session.deleted", "session_id": follower.session_id}
            follower.hint(hint("session.deleted", event))
            follower.delete()
        except Unavailable as error:
            log.info("reader.waits %s code=%s", follower.reads, error.code)
            time.sleep(RETRY_EVERY)
        except HoldfastError:
            log.exception("reader.not_opened %s", follower.reads)
            follower.close()
        return None
