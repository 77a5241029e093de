"""Translates a gateway's events into those of clients: cleaned, capped, split (P11, P12). Pure.

An event that ends the run is not translated: `gateway_end` recognises it, and the run's own end is
written later. Events are kept small, because web processes receive each as one Redis message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.protocol.events import DELTAS, RESERVED, Payload
from worker.event_log.stream_position import delta_field
from worker.gateway import boundary_events
from worker.gateway.boundary_json import STAMP_MOST, json_text
from worker.gateway.boundary_rows import usage
from worker.gateway.boundary_text import error_text
from worker.gateway.models import ENDS

_CAPPED_CHARS = 4_000  # what remains of each long string in an event that is too large


@dataclass(frozen=True)
class GatewayEnd:
    """The end of a run as its gateway reports it; `name` is `run.` and its state."""

    name: str
    output: str | None
    usage: dict[str, Any] | None
    finish_reason: str | None
    error: str | None


def gateway_end(event: Mapping[str, Any]) -> GatewayEnd | None:
    """The end of the run, if this event is one."""
    name = event.get("event")
    if not isinstance(name, str) or name not in ENDS:
        return None
    return GatewayEnd(
        name=name,
        output=boundary_events.output(event),
        usage=usage(event.get("usage")),
        finish_reason=boundary_events.reason(event),
        error=error_text(event.get("error")),
    )


def translate(event: Mapping[str, Any], max_bytes: int) -> Sequence[tuple[str, Payload]]:
    """Name and payload of each event that clients get for a gateway's event that is not an end:
    none for a reserved name or an empty delta, several for a delta larger than `max_bytes`. Other
    events larger than that are shortened, with `truncated` set."""
    name = event.get("event")
    if type(name) is str and name in DELTAS:
        return _delta(name, event, max_bytes)
    name = boundary_events.event_name(event)
    if name is None or name in RESERVED:
        return ()
    payload = boundary_events.payload(name, event)
    if name == "tool.completed":
        payload["error"] = bool(payload.get("error"))
    return ((name, _capped(payload, max_bytes)),)


def _delta(name: str, event: Mapping[str, Any], max_bytes: int) -> Sequence[tuple[str, Payload]]:
    """A delta that has a text, cut only where it is larger than an event may be (FAILURES 29)."""
    field = "delta" if name == "message.delta" else delta_field(event)
    text, stamp = event.get(field), event.get("timestamp")
    if (
        len(event) == 4
        and type(text) is str
        and text
        and type(stamp) is float
        and 0.0 < stamp <= STAMP_MOST
        and "run_id" in event
    ):
        # As nearly all are: it has nothing that the boundary would change.
        payload: Payload = {"timestamp": stamp, field: text}
    else:
        found = boundary_events.delta(name, event)
        if found is None:
            return ()
        payload, field = found, delta_field(found)
        text = payload[field]
    size = max(max_bytes // 4, 1)  # a character is at most 4 bytes
    if len(text) <= size:
        return ((name, payload),)
    starts = range(0, len(text), size)
    return [(name, {**payload, field: text[start : start + size]}) for start in starts]


def _capped(payload: Payload, max_bytes: int) -> Payload:
    if _size(payload) <= max_bytes:
        return payload
    for most in (_CAPPED_CHARS, max(max_bytes // (8 * len(payload)), 1)):
        shortened = {key: _shortened(value, most) for key, value in payload.items()}
        if _size(shortened) <= max_bytes:
            break
    return shortened | {"truncated": True}


def _shortened(value: Any, most: int) -> Any:
    if isinstance(value, dict | list):
        return json_text(value, most)
    return value[:most] if isinstance(value, str) else value


def _size(value: Any) -> int:
    """About how many bytes the value takes as JSON; cheap for small events."""
    if isinstance(value, str):
        return len(value) * 4 if not value.isascii() else len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8
