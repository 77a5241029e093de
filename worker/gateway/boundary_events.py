"""The boundary for the events of a gateway's streams. Pure.

Deltas that are as nearly all are do not come here: `translate_events` knows them at a glance.
"""

from collections.abc import Mapping
from typing import Any

from shared.conversation.content import clean_text
from shared.protocol.events import Payload
from worker.gateway.boundary_json import (
    LEVELS,
    NAME_MOST,
    amount,
    bounded,
    key,
    name,
    stamp,
    take,
)
from worker.gateway.boundary_text import shown, words
from worker.gateway.stream.split_characters import text_fields

FIELDS_MOST = 100  # of an event
FIELD_LEVELS = LEVELS - 2  # of nesting, in a field of it
OURS = frozenset({"event", "run_id", "session_id", "seq", "epoch"})  # fields that we set

Json = Mapping[str, Any]

_TOOL_EVENTS = frozenset({"tool.started", "tool.completed"})
_TOOL_FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(("tool", "name", "tool_call_id"), name),
    "preview": words,
    "duration": amount,
}


def event_name(found: Json) -> str | None:
    """The name of an event, `message` without one; None if it cannot be one."""
    value = found.get("event") or "message"
    return clean_text(value) if isinstance(value, str) and len(value) <= NAME_MOST else None


def payload(kind: str, found: Json) -> Payload:
    """The fields of an event that is no delta, without those that are ours to set."""
    kept = [(field, value) for field, value in found.items() if field not in OURS][:FIELDS_MOST]
    fields: Payload = {key(field): bounded(value, FIELD_LEVELS) for field, value in kept}
    if "timestamp" in fields and (at := take(found, "timestamp", stamp, "event")) is not None:
        fields["timestamp"] = at
    else:
        fields.pop("timestamp", None)
    if kind in _TOOL_EVENTS:
        for field in _TOOL_FIELDS.keys() & fields.keys():
            fields[field] = take(fields, field, _TOOL_FIELDS[field], kind)
    return fields


def delta(kind: str, found: Json) -> Payload | None:
    """The fields of a delta, its text in the one field that clients know (P11): `delta`, of
    reasoning also `text`. None if it has no text."""
    order = text_fields(kind)
    for field in order:
        if said := shown(found.get(field)):
            rest = {one: value for one, value in found.items() if one not in order}
            known = "delta" if kind == "message.delta" else field
            return {**payload(kind, rest), known: said}
    return None


def reason(found: Json) -> str | None:
    """Why an answer ended, as the event of a run's end says it."""
    return take(found, "finish_reason", name, "end")


def output(found: Json) -> str | None:
    """The answer that the event of a run's end has."""
    return take(found, "output", words, "end")
