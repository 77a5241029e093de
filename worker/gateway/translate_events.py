"""Translates a gateway's events into those of clients: cleaned, capped, split (P11, P12). Pure.

An event that ends the run is not translated: `gateway_end` recognises it, and the run's own end is
written later. Events are kept small, because web processes receive each as one Redis message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.protocol.events import DELTAS, RESERVED, TERMINAL, Payload
from worker.event_log.stream_position import delta_field

_OUR_FIELDS = frozenset({"event", "run_id", "session_id", "seq", "epoch"})
_CAPPED_CHARS = 4_000  # what remains of each long string in an event that is too large


@dataclass(frozen=True)
class GatewayEnd:
    """The end of a run as its gateway reports it; `name` is one of `TERMINAL`."""

    name: str
    output: str | None
    usage: dict[str, Any] | None
    finish_reason: str | None
    error: str | None


def gateway_end(event: Mapping[str, Any]) -> GatewayEnd | None:
    """The end of the run, if this event is one; fields of the wrong type count as missing."""
    name = event.get("event")
    if name not in TERMINAL:
        return None
    output, usage, error = event.get("output"), event.get("usage"), event.get("error")
    reason = event.get("finish_reason")
    return GatewayEnd(
        name=str(name),
        output=output if isinstance(output, str) else None,
        usage=usage if isinstance(usage, dict) else None,
        finish_reason=reason if isinstance(reason, str) and reason else None,
        error=None if error is None else str(error),
    )


def translate(event: Mapping[str, Any], max_bytes: int) -> Sequence[tuple[str, Payload]]:
    """Name and payload of each event that clients get for a gateway's event that is not an end:
    none for a reserved name or an empty delta, several for a delta larger than `max_bytes`. Other
    events larger than that are shortened, with `truncated` set."""
    name = event.get("event") or "message"
    if not isinstance(name, str) or name in RESERVED:
        return ()
    payload = {key: value for key, value in event.items() if key not in _OUR_FIELDS}
    if name in DELTAS:
        return _delta(name, payload, max_bytes)
    if name == "tool.completed":
        payload["error"] = bool(payload.get("error"))
    return ((name, _capped(payload, max_bytes)),)


def _delta(name: str, payload: Payload, max_bytes: int) -> Sequence[tuple[str, Payload]]:
    """A delta that has a text, cut only where it is larger than an event may be (FAILURES 29)."""
    field = delta_field(payload)
    text = payload.get(field)
    if not isinstance(text, str) or not text:
        return ()
    size = max(max_bytes // 4, 1)  # a character is at most 4 bytes
    if len(text) <= size:
        return ((name, payload),)
    starts = range(0, len(text), size)
    return [(name, {**payload, field: text[start : start + size]}) for start in starts]


def _capped(payload: Payload, max_bytes: int) -> Payload:
    if _size(payload) <= max_bytes:
        return payload
    return {key: _shortened(value) for key, value in payload.items()} | {"truncated": True}


def _shortened(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = str(value)
    return value[:_CAPPED_CHARS] if isinstance(value, str) else value


def _size(value: Any) -> int:
    """About how many bytes the value takes as JSON; cheap for small events."""
    if isinstance(value, str):
        return len(value) * 4 if not value.isascii() else len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8
