"""Puts characters together that a gateway cut between two deltas. Pure.

Problem: JSON writes some characters as two halves (`\\ud83d\\ude00` is a face), and a gateway
that cuts its text anywhere sends them in two deltas. Neither half can be stored or encoded.
Idea: a half at the end of a delta waits for the next delta of its kind, whatever comes between.
Invariant: the texts of the deltas of a kind, joined, are what the gateway sent; a half without its
other half becomes U+FFFD, at the latest before the event that ends the run.
"""

from collections.abc import Sequence
from typing import Any

from shared.conversation.content import REPLACEMENT, clean_json, clean_text
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
        """The events with whole characters; a delta of which nothing is left yet is left out."""
        joined: list[Event] = []
        for event in events:
            name = event.get("event")
            if not isinstance(name, str):
                joined.append(clean_json(event))
            elif name in DELTAS:
                joined += self._delta(name, event)
            else:
                joined += self._lone() if name in ENDS else ()
                joined.append(clean_json(event))
        return joined

    def _delta(self, name: str, event: Event) -> Sequence[Event]:
        field = "text" if isinstance(event.get("text"), str) else "delta"
        text = event.get(field)
        if not isinstance(text, str) or not text:
            return (clean_json(event),)
        _, half = self._halves.pop(name, (field, ""))
        text = half + text
        if "\ud800" <= text[-1] <= "\udbff":
            self._halves[name] = (field, text[-1])
            text = text[:-1]
        return ({**clean_json(event), field: clean_text(text)},) if text else ()

    def _lone(self) -> list[Event]:
        """The halves whose other half has not come, as deltas of their own."""
        halves, self._halves = self._halves, {}
        return [{"event": name, field: REPLACEMENT} for name, (field, _) in halves.items()]
