"""Events of a run as frames of server-sent events, in the gateway's shape. Pure.

A frame is `id: …` and `data: …`, without a name, as gateways send them. What ends a stopped run is
`run.cancelled` there, and `run.completed` always has `output` and `usage`.
"""

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from shared.protocol.events import RUN_COMPLETED, TERMINAL
from shared.protocol.run_ends import end_name, usage_of

KEEPALIVE: Final = b": keepalive\n\n"
CLOSED: Final = b": stream closed\n\n"
OPENED: Final = b": stream opened\n\n"

SNAPSHOT: Final = "message.snapshot"  # the answer so far, in place of what was shown before


class HasId(Protocol):
    """How far a reader is."""

    @property
    def id(self) -> str:
        """The same as text."""


def frame(place: HasId, name: str, event: Mapping[str, Any], **more: Any) -> bytes:
    """The frame of an event, behind which `place` is. `more`: further fields."""
    payload = {
        "event": name,
        "run_id": event.get("run_id"),
        "timestamp": event.get("timestamp") or time.time(),
        **event,
        **more,
    }
    payload["event"] = name
    if name == "approval.request":
        payload["approval_id"] = event.get("seq")
    return b"id: " + place.id.encode() + b"\ndata: " + orjson.dumps(payload) + b"\n\n"


def end_frame(
    place: HasId, name: str, event: Mapping[str, Any], output: str | None, **more: Any
) -> bytes:
    """The frame of a terminal event. `output`: the stored answer, for an end that does not carry
    it."""
    shown, fields = end_name(name, event), dict(more)
    if shown == RUN_COMPLETED:
        if "output" not in event:
            fields["output"] = output or ""
        fields["usage"] = usage_of(event.get("usage"))
    return frame(place, shown, event, **fields)


def hint(name: str, event: Mapping[str, Any]) -> bytes:
    """The frame of an event that has no position: a client that comes back may lack it."""
    payload = {"event": name, "timestamp": time.time(), **event}
    return b"data: " + orjson.dumps(payload) + b"\n\n"


def end_hint(name: str, event: Mapping[str, Any]) -> bytes:
    """The same of the end of a run that never had a turn."""
    shown = end_name(name, event)
    return hint(shown, {**event, "event": shown})


def is_end(name: str) -> bool:
    """Whether the event ends its run."""
    return name in TERMINAL
