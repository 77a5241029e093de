"""A gateway's events in Holdfast's words: renamed, cleaned, capped, split. Pure (P11, P12)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.protocol.events import DELTAS, RESERVED, TERMINAL, Payload
from worker.event_log.stream_position import delta_field

_OURS = frozenset({"event", "run_id", "session_id", "seq", "epoch"})
_KEPT_OF_CAPPED = 4_000  # characters of each long string in an event that is too large


@dataclass(frozen=True)
class GatewayEnd:
    """How the gateway says the run ended."""

    name: str
    output: str | None
    usage: dict[str, Any] | None
    finish_reason: str | None
    error: str | None


def gateway_end(event: Mapping[str, Any]) -> GatewayEnd | None:
    """The end that this event tells, if it is one."""
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


def translate(event: Mapping[str, Any], max_bytes: int) -> Iterator[tuple[str, Payload]]:
    """What clients get for a gateway's event that is not an end: nothing, one or more events."""
    name = event.get("event") or "message"
    if not isinstance(name, str) or name in RESERVED:
        return
    payload = {key: value for key, value in event.items() if key not in _OURS}
    if name in DELTAS:
        yield from _delta(name, payload, max_bytes)
        return
    if name == "tool.completed":
        payload["error"] = bool(payload.get("error"))
    yield name, _capped(payload, max_bytes)


def _delta(name: str, payload: Payload, max_bytes: int) -> Iterator[tuple[str, Payload]]:
    """A delta with text, cut into pieces that are small events (FAILURES 29)."""
    field = delta_field(payload)
    text = payload.get(field)
    if not isinstance(text, str) or not text:
        return
    size = max(max_bytes // 4, 1)  # a character is at most 4 bytes
    for start in range(0, len(text), size):
        yield name, {**payload, field: text[start : start + size]}


def _capped(payload: Payload, max_bytes: int) -> Payload:
    if _size(payload) <= max_bytes:
        return payload
    return {key: _shortened(value) for key, value in payload.items()} | {"truncated": True}


def _shortened(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = str(value)
    return value[:_KEPT_OF_CAPPED] if isinstance(value, str) else value


def _size(value: Any) -> int:
    """About how many bytes the value takes as JSON; cheap for small events."""
    if isinstance(value, str):
        return len(value) * 4 if not value.isascii() else len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8
