"""Joins neighbouring deltas of one read, so that each later step is done once for all. Pure.

Deltas of one read are joined here and nowhere else: `translate_events` cuts the joined text only at
the size limit of an event, and `RunLog` joins deltas of different reads, only below that limit.
"""

from collections.abc import Sequence
from typing import Any

from shared.protocol.events import DELTAS
from worker.event_log.stream_position import delta_field

Event = dict[str, Any]


def merge_deltas(events: Sequence[Event]) -> Sequence[Event]:
    """The same events with the texts of neighbouring deltas of one kind and field joined.

    A joined delta has the other fields of its first. One with both fields is left alone: which of
    them has its text is for the boundary to say. The events given stay as they are.
    """
    if len(events) < 2:
        return events
    merged: list[Event] = []
    kind, field, other, texts = "", "", "", [""]
    for event in events:
        name = event.get("event")
        if kind and name == kind and other not in event:
            text = event.get(field)
            if isinstance(text, str):
                texts.append(text)
                continue
        _join(merged, field, texts)
        merged.append(event)
        kind, texts = "", []
        if isinstance(name, str) and name in DELTAS:
            field = delta_field(event)
            other = "delta" if field == "text" else "text"
            if other not in event and isinstance(event.get(field), str):
                kind, texts = name, [event[field]]
    _join(merged, field, texts)
    return merged


def _join(merged: list[Event], field: str, texts: list[str]) -> None:
    if len(texts) > 1:
        merged[-1] = {**merged[-1], field: "".join(texts)}
