"""Puts characters together that a gateway cut between two deltas. Pure.

Problem: JSON writes some characters as two halves (`\\ud83d\\ude00` is a face), and a gateway
that cuts its text anywhere sends them in two deltas. Neither half can be stored or encoded.
Idea: a half at the end of a delta waits for the next delta of its kind, whatever comes between.
Invariant: the texts of the deltas of a kind, joined, are what the gateway sent; a half without its
other half becomes U+FFFD, at the latest before the event that ends the run.
"""

from collections.abc import Sequence
from typing import Any

from shared.conversation.content import REPLACEMENT, clean_text
from shared.protocol.events import DELTAS
from worker.gateway.models import ENDS

Event = dict[str, Any]


class SplitCharacters:
    """`join` the events of a stream in order. What a stream that breaks leaves is dropped: it comes
    again with the replay, or with the transcript."""

    def __init__(self) -> None:
        self._halves: dict[str, tuple[str, str]] = {}  # event name -> field, first half

    @property
    def waiting(self) -> bool:
        """Whether a half waits for its other half."""
        return bool(self._halves)

    def join(self, events: Sequence[Event]) -> list[Event]:
        """The events with whole characters in the texts of deltas; a delta of which nothing is left
        yet is left out. Other fields stay as they are: the boundary cleans them."""
        joined: list[Event] = []
        for event in events:
            name = event.get("event")
            if isinstance(name, str) and name in DELTAS:
                joined += self._delta(name, event)
                continue
            joined += self._lone() if isinstance(name, str) and name in ENDS else ()
            joined.append(event)
        return joined

    def _delta(self, name: str, event: Event) -> Sequence[Event]:
        field = next((one for one in text_fields(name) if _is_text(event.get(one))), None)
        if field is None:
            return (event,)
        _, half = self._halves.pop(name, (field, ""))
        text = whole = half + event[field]
        if "\ud800" <= text[-1] <= "\udbff":
            self._halves[name] = (field, text[-1])
            text = text[:-1]
        if not text:
            return ()
        if half or text is not whole:  # the other field may have halves of its own
            event = {one: value for one, value in event.items() if one not in ("delta", "text")}
        return ({**event, field: clean_text(text)},)

    def _lone(self) -> list[Event]:
        """The halves whose other half has not come, as deltas of their own."""
        halves, self._halves = self._halves, {}
        return [{"event": name, field: REPLACEMENT} for name, (field, _) in halves.items()]


def text_fields(name: str) -> tuple[str, str]:
    """Where the text of a delta is looked for, in this order (P11)."""
    return ("delta", "text") if name == "message.delta" else ("text", "delta")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
