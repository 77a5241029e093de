"""Follows a run from its beginning to its end, for an answer that is made while it goes on.

A follower is a reader (`web/readers`) that is always opened at the beginning of the log: what is
made of a run's events depends on those before them. One that lost its way begins again, and says
so; who uses it passes over what was sent before.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import request

from shared import runtime
from shared.errors import HoldfastError, NotFound, Unavailable
from web.api.http.errors import ApiError
from web.api.http.routes import Call
from web.api.http.run_events import Draining
from web.api.http.runs import not_found
from web.readers.opening import Opening
from web.readers.reader import RunReader
from web.readers.readers import Readers, TooManyStreams
from web.readers.replay import End, Start
from web.readers.stream import KEEPALIVE_EVERY, RETRY_EVERY
from web.relay.feed_address import FeedAddress
from web.resume.membership import Membership
from web.server.connection_table import ClientConnection
from web.server.http_server import CONNECTION

log = logging.getLogger(__name__)

ASIDE = 1000  # frames; reading more would hold all other requests for milliseconds

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Frames:
    """What came, as readers get it. `anew`: from the beginning of the run again."""

    frames: Sequence[bytes]
    anew: bool = False

    def events(self) -> list[Event]:
        """The same as events."""
        if len(self.frames) > ASIDE:
            return runtime.offload(lambda: _events(self.frames))
        return _events(self.frames)


@dataclass(frozen=True)
class Silence:
    """Nothing came for a while."""


Step = Frames | End | Silence


class Follower:
    """Iterate over it once. After `End` nothing comes; if it stops without one, the stream has to
    break off: the process stops, the client is too slow, or the run was deleted."""

    def __init__(
        self, reader: RunReader, start: Start, opening: Opening, close: "Following"
    ) -> None:
        self._reader = reader
        self._start = start
        self._opening = opening
        self._following = close
        self._steps = self._all()

    def __iter__(self) -> Iterator[Step]:
        return self._steps

    def close(self) -> None:
        """Nobody waits for it any more; the run goes on."""
        self._following.remove(self._reader)

    def _all(self) -> Iterator[Step]:
        yield Frames(self._start.frames, anew=True)
        if self._start.end is not None:
            yield self._start.end
            return
        while True:
            items = self._reader.take(KEEPALIVE_EVERY)
            if frames := [item for item in items if isinstance(item, bytes)]:
                yield Frames(frames)
            if ends := [item for item in items if isinstance(item, End)]:
                yield ends[-1]
                return
            if self._reader.is_closed:
                return
            if self._reader.is_lost:
                start = self._open_again()
                if start is not None:
                    yield Frames(start.frames, anew=True)
                    if start.end is not None:
                        yield start.end
                        return
                    continue
            if not items:
                yield Silence()

    def _open_again(self) -> Start | None:
        """None if that has to be tried again."""
        try:
            return self._opening.open(self._reader, None)
        except NotFound:
            self._reader.close()
        except Unavailable as error:
            log.info("reader.waits run_id=%s code=%s", self._reader.run_id, error.code)
            time.sleep(RETRY_EVERY)
        except HoldfastError:
            log.exception("reader.not_opened run_id=%s", self._reader.run_id)
            self._reader.close()
        return None


class Following:
    """Makes followers."""

    def __init__(self, opening: Opening, readers: Readers, membership: Membership) -> None:
        self._opening = opening
        self._readers = readers
        self._membership = membership

    def check_room(self, call: Call) -> None:
        """Whether a run could be followed now; it must not be started if its answer could not be
        given. Raises Draining and ApiError."""
        if self._readers.is_closing:
            raise Draining
        try:
            self._readers.check_room(call.owner)
        except TooManyStreams as error:
            raise _refusal(error) from None

    def follow(self, call: Call, run_id: str, session_id: str | None) -> Follower:
        """Follow the run from now on. Raises ApiError, Draining, RedisUnavailable,
        DatabaseUnavailable."""
        if self._readers.is_closing:
            raise Draining
        self._readers.wait_if_slow(FeedAddress(call.owner, session_id, run_id).tag)
        connection: ClientConnection = request.environ[CONNECTION]
        connection.within(None)  # the body is read, and the answer has not begun
        try:
            reader = self._readers.add(
                call.principal, call.profile, run_id, connection.cut, connection.has_left
            )
        except TooManyStreams as error:
            raise _refusal(error) from None
        try:
            start = self._opening.open(reader, None)
        except NotFound:
            self.remove(reader)
            raise not_found(run_id) from None
        except BaseException:
            self.remove(reader)
            raise
        return Follower(reader, start, self._opening, self)

    def remove(self, reader: RunReader) -> None:
        """The reader is not needed any more."""
        self._readers.remove(reader, self._membership)


def _refusal(error: TooManyStreams) -> ApiError:
    return ApiError(429, error.code, str(error))


def _events(frames: Sequence[bytes]) -> list[Event]:
    found: list[Event] = []
    for chunk in frames:
        for frame in chunk.split(b"\n\n"):
            _, _, data = frame.partition(b"\ndata: ")
            if data:
                event = orjson.loads(data)
                found.append((event["event"], event))
    return found
