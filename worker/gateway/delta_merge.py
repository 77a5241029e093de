"""Merges adjacent deltas of one read, before they are translated and added to the log. Pure.

A run log merges again what comes in several reads between two flushes. This first merge makes the
steps in between cheap: for 50 deltas in a read they take a tenth of the time.
"""

from collections.abc import Sequence
from typing import Any

from shared.protocol.events import DELTAS
from worker.event_log.stream_position import delta_field

Event = dict[str, Any]


def merge_deltas(events: Sequence[Event]) -> list[Event]:
    """The events in order, with adjacent deltas of one kind and field as one, which has the other
    fields of the first. Deltas without text are left as they are."""
    merged: list[Event] = []
    texts: list[str] = []
    kind = field = None
    for event in events:
        name = event.get("event")
        if name == kind and delta_field(event) == field:
            text = event.get(field)
            if isinstance(text, str):
                texts.append(text)
                continue
        _merge_into_last(merged, field, texts)
        merged.append(event)
        kind = field = None
        if isinstance(name, str) and name in DELTAS:
            opened = delta_field(event)
            if isinstance(event.get(opened), str):
                kind, field, texts = name, opened, [event[opened]]
    _merge_into_last(merged, field, texts)
    return merged


def _merge_into_last(merged: list[Event], field: str | None, texts: list[str]) -> None:
    """Give the last event the joined text of all deltas that follow each other there."""
    if field is not None and len(texts) > 1:
        merged[-1] = {**merged[-1], field: "".join(texts)}
