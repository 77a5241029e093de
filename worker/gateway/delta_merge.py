"""Joins neighbouring deltas of one read, so that what follows is done once for all. Pure."""

from collections.abc import Sequence
from typing import Any

from shared.protocol.events import DELTAS
from worker.event_log.stream_position import delta_field

Event = dict[str, Any]


def merge_deltas(events: Sequence[Event]) -> list[Event]:
    """The same events with the texts of neighbouring deltas of one kind joined.

    A joined delta has the other fields of its first.
    """
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
        _close(merged, field, texts)
        merged.append(event)
        kind = field = None
        if isinstance(name, str) and name in DELTAS:
            opened = delta_field(event)
            if isinstance(event.get(opened), str):
                kind, field, texts = name, opened, [event[opened]]
    _close(merged, field, texts)
    return merged


def _close(merged: list[Event], field: str | None, texts: list[str]) -> None:
    if field is not None and len(texts) > 1:
        merged[-1] = {**merged[-1], field: "".join(texts)}
