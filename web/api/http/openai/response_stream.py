"""The body of a response's stream: OpenAI's events, from any number on, to the last one.

A response that has ended, and whose parts were stored, is shown from them; else its run is
followed. Both give the same numbers (`response_events.py`).
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from shared.db.responses.records import StoredResponse
from shared.errors import DatabaseUnavailable
from shared.protocol.streamed import events_of
from web.api.http.openai.following import Follower, Frames, Silence
from web.api.http.openai.response_events import (
    CREATED,
    IN_PROGRESS,
    Numbered,
    ResponseEvents,
    after,
)
from web.api.http.openai.response_objects import begun_object, response_id, response_object
from web.readers.frames import KEEPALIVE, OPENED
from web.readers.replay import End
from web.readers.stream import CHUNK, RETRY_EVERY
from web.server.http_server import ANSWER_WITHIN, RATE

log = logging.getLogger(__name__)

BEFORE_ALL = -1  # the number of nothing

#: How a stream ends. There is no event for a response that was cancelled, so it has that of one
#: that is not complete, with its status.
_LAST = {
    "completed": "response.completed",
    "failed": "response.failed",
    "incomplete": "response.incomplete",
    "cancelled": "response.incomplete",
}


class ResponseStream:
    """Iterate over it once; `close` when the client has left."""

    def __init__(
        self,
        found: StoredResponse,
        number: int,
        *,
        follower: Follower | None,
        read: Callable[[], StoredResponse | None],
        within: Callable[[float | None], None],
    ) -> None:
        """`number`: of the last event that the client has. `follower`: of the run; None for a
        response that has ended and whose parts were stored. `read`: the response as it is then.
        `within`: see `EventStream`."""
        self._found = found
        self._number = number
        self._follower = follower
        self._read = read
        self._within = within
        self._chunks = self._all()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._within(None)
        chunk = next(chunk for chunk in self._chunks if chunk)
        self._within(ANSWER_WITHIN + len(chunk) / RATE)
        return chunk

    def close(self) -> None:
        """The run goes on."""
        if self._follower is not None:
            self._follower.close()

    def _all(self) -> Iterator[bytes]:
        yield OPENED + self._frames(self._first())
        if self._follower is None:
            yield from self._stored()
        else:
            yield from self._followed(self._follower)

    def _first(self) -> list[Numbered]:
        status = "queued" if self._found.background else "in_progress"
        created = begun_object(self._found, status)
        return [Numbered(CREATED, "response.created", {"response": created})]

    def _stored(self) -> Iterator[bytes]:
        events = self._events()
        yield self._frames(self._in_progress())
        for name, event in events_of(self._found.parts or ()):
            yield from self._pieces(events.apply(name, event))
        yield from self._end(events, None, self._found)

    def _followed(self, follower: Follower) -> Iterator[bytes]:
        events = self._events()
        for step in follower:
            match step:
                case Frames():
                    events = self._events() if step.anew else events
                    read = step.events()
                    if read:
                        yield self._frames(self._in_progress())
                    made = [made for name, event in read for made in events.apply(name, event)]
                    yield from self._pieces(made)
                case End():
                    yield from self._end(events, step, None)
                case Silence():
                    yield KEEPALIVE

    def _end(
        self, events: ResponseEvents, end: End | None, found: StoredResponse | None
    ) -> Iterator[bytes]:
        yield self._frames(self._in_progress())
        output = end.event.get("output") if end is not None else None
        yield from self._pieces(events.end(output if isinstance(output, str) else None))
        while found is None:
            try:
                found = self._read()
                if found is None:
                    return  # it was deleted
            except DatabaseUnavailable:
                log.info("response.unread run_id=%s", self._found.run.id)
                time.sleep(RETRY_EVERY)
                yield KEEPALIVE
        made = response_object(found)
        yield self._frames([Numbered(events.next, _LAST[made["status"]], {"response": made})])

    def _events(self) -> ResponseEvents:
        return ResponseEvents(response_id(self._found.run.id))

    def _in_progress(self) -> list[Numbered]:
        begun = begun_object(self._found, "in_progress")
        return [Numbered(IN_PROGRESS, "response.in_progress", {"response": begun})]

    def _pieces(self, events: Iterable[Numbered]) -> Iterator[bytes]:
        """The frames in chunks that are worth a write."""
        waiting, size = [], 0
        for event in events:
            frame = self._frames([event])
            waiting.append(frame)
            size += len(frame)
            if size >= CHUNK:
                yield b"".join(waiting)
                waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)

    def _frames(self, events: Iterable[Numbered]) -> bytes:
        """The frames of those events that the client does not have."""
        frames = []
        for event in after(self._number, events):
            self._number = event.number
            frames.append(_frame(event))
        return b"".join(frames)


def _frame(event: Numbered) -> bytes:
    data: dict[str, Any] = {"type": event.type, **event.fields, "sequence_number": event.number}
    return b"event: " + event.type.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
