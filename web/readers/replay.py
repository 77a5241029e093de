"""A run's log as the frames of its readers: rendered once, and extended while the log grows. Pure.

Problem: readers come at any moment and from any position, each wants all that it lacks once, and
the log may have been folded, or begun anew, since a reader was cut.
Idea: `Replay` holds one frame and one place for each entry of the log, behind the fold of those
that the log has no more. A reader whose place is among them gets the frames after it; who has less
than the fold gets what it lacks of the fold's messages first (`condensed.py`); who has something
else gets what it lacks of all messages.
Invariant: what a reader had, and what it is given, together are the events of the log in order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.event_log.types import LogView
from shared.protocol.events import Payload, decode
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from web.readers.condensed import Step, missing, steps_of
from web.readers.frames import frame, is_end
from web.readers.place import Place, advance, start_of


class BeyondTheEnd(ValueError):
    """The log has no entry of that number yet."""


class PositionGone(ValueError):
    """The entries before that number were folded, and the number does not say what was received."""


@dataclass(frozen=True)
class End:
    """The terminal event, with the place behind it. `condensed`: as in the frames before it."""

    place: Place
    name: str
    event: Payload
    condensed: bool = False


@dataclass(frozen=True)
class Start:
    """What a reader is sent first. `place`: where it is then; `end`: follows the frames; `is_over`:
    nothing else will come."""

    frames: Sequence[bytes]
    place: Place
    end: End | None = None
    is_over: bool = False


class Replay:
    """The log of one run in one epoch."""

    def __init__(self, view: LogView, session_id: str | None) -> None:
        """`view`: read from seq 0. Raises IncompleteLog if it has lost its beginning."""
        self.run_id = view.run_id
        self.epoch = view.epoch
        self.base = view.base
        self.head = view.base
        self.ended: End | None = None
        self._session_id = session_id
        self._fold, self._state = _folded(view, session_id)
        begun = start_of(view.run_id, view.epoch)
        self._steps = _steps(self._fold)
        self._places = [_last_place(self._steps, begun, view.run_id).but(seq=view.base)]
        self._frames: list[bytes] = []
        self._entries: list[bytes] = []
        self.extend(view)

    def continues(self, view: LogView) -> bool:
        """Whether the entries of `view`, read after `head`, follow those that are here."""
        is_same = view.epoch == self.epoch and view.base == self.base
        return is_same and view.first == self.head + 1

    def extend(self, view: LogView) -> None:
        """Add the entries that follow."""
        for entry in view.entries:
            name, event = decode(entry)
            self.head += 1
            place = advance(self._places[-1], name, event, self.head)
            self._places.append(place)
            self._entries.append(entry)
            if is_end(name):
                self.ended = End(place, name, event)
                self._frames.append(b"")
            else:
                self._frames.append(frame(place, name, event))

    def after(self, cursor: Place | int | None) -> Start:
        """What a reader at the cursor lacks. Raises BeyondTheEnd and PositionGone, which only
        happens to numbers."""
        had = start_of(self.run_id, self.epoch) if cursor is None else cursor
        if isinstance(had, int):
            if had > self.head:
                raise BeyondTheEnd
            if had < self.base:
                if had:
                    raise PositionGone
                had = start_of(self.run_id, self.epoch)
            else:
                had = self._places[had - self.base]
        if had.epoch == self.epoch and self.base <= had.seq <= self.head:
            there = self._places[had.seq - self.base]
            if there.counts == had.counts:
                return self._start([], had.seq)
        elif had.epoch == self.epoch and had.seq < self.base:
            return self._start(self._condensed(self._steps, self._state, had), self.base)
        return self._anew(had)

    def _start(self, before: Sequence[bytes], seq: int) -> Start:
        index = seq - self.base
        frames = [one for one in self._frames[index:] if one]
        end = self.ended if index < len(self._frames) else None
        return Start([*before, *frames], self._places[-1], end, self.ended is not None)

    def _anew(self, had: Place) -> Start:
        """What a reader that has something else lacks of all that is here."""
        transcript = Transcript.from_state(self._fold.to_state())
        state = StateEvents.from_state(self._state.to_state())
        for entry in self._entries:
            name, event = decode(entry)
            if not is_end(name):
                transcript.apply(event)
                state.apply(event)
        had = had.but(epoch=self.epoch, seq=0)
        frames = self._condensed(_steps(transcript), state, had)
        return Start(frames, self._places[-1], self.ended, self.ended is not None)

    def _condensed(self, steps: Sequence[Step], state: StateEvents, had: Place) -> list[bytes]:
        place, frames = had, []
        for at, (name, payload) in missing(steps, had, self.run_id):
            place = at
            frames.append(frame(at, name, payload, **self._common(at)))
        for shown in state.events():
            seq = shown["data"].get("seq", 0)
            if seq > had.seq:
                place = place.but(seq=seq)
                frames.append(frame(place, shown["event"], shown["data"], condensed=True))
        return frames

    def _common(self, place: Place) -> dict[str, Any]:
        return common(self.run_id, self._session_id, place)


class IncompleteLog(ValueError):
    """The log has lost its beginning: only the end of the run was written into it."""


def common(run_id: str, session_id: str | None, place: Place) -> dict[str, Any]:
    """The fields of a condensed event that every event of a run has; it is no entry, so it has no
    seq."""
    named = {"session_id": session_id} if session_id is not None else {}
    return {"run_id": run_id, **named, "epoch": place.epoch, "condensed": True}


def of_stored(
    run_id: str, session_id: str | None, steps: Sequence[Step], cursor: Place | int | None
) -> Iterator[tuple[Place, bytes]]:
    """The frames of a run's stored turn that a reader lacks, each with the place behind it. Raises
    PositionGone."""
    if isinstance(cursor, int):
        if cursor:
            raise PositionGone
        cursor = None
    had = start_of(run_id) if cursor is None else cursor
    for place, (name, payload) in missing(steps, had, run_id):
        yield place, frame(place, name, payload, **common(run_id, session_id, place))


def _folded(view: LogView, session_id: str | None) -> tuple[Transcript, StateEvents]:
    if view.base == 0:
        return Transcript(view.run_id, session_id), StateEvents()
    if view.checkpoint is None or view.first != view.base + 1:
        raise IncompleteLog
    state = orjson.loads(view.checkpoint)
    return (
        Transcript.from_state(state["transcript"]),
        StateEvents.from_state(state["state_events"]),
    )


def _steps(transcript: Transcript) -> list[Step]:
    still_open = [message["id"] for message in transcript.open_tool_calls()]
    return steps_of(transcript.messages(), still_open)


def _last_place(steps: Sequence[Step], begun: Place, run_id: str) -> Place:
    places = [place for place, _ in missing(steps, begun, run_id)]
    return places[-1] if places else begun
