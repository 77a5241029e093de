"""Events of a run as frames of server-sent events, in the gateway's shape. Pure.

A frame is `id: …` and `data: …`, without a name, as gateways send them. What ends a stopped run is
`run.cancelled` there, and `run.completed` always has `output` and `usage`.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import orjson

from shared.protocol.events import RUN_COMPLETED, TERMINAL
from shared.protocol.run_ends import end_name, usage_of
from web.readers.place import Place

KEEPALIVE: Final = b": keepalive\n\n"
CLOSED: Final = b": stream closed\n\n"
OPENED: Final = b": stream opened\n\n"

SNAPSHOT: Final = "message.snapshot"  # the answer so far, in place of what was shown before


def frame(place: Place, name: str, event: Mapping[str, Any], **more: Any) -> bytes:
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
    place: Place, name: str, event: Mapping[str, Any], output: str | None, **more: Any
) -> bytes:
    """The frame of a terminal event. `output`: the stored answer, for an end that does not carry
    it."""
    shown, fields = end_name(name, event), dict(more)
    if shown == RUN_COMPLETED:
        if "output" not in event:
            fields["output"] = output or ""
        fields["usage"] = usage_of(event.get("usage"))
    return frame(place, shown, event, **fields)


def is_end(name: str) -> bool:
    """Whether the event ends its run."""
    return name in TERMINAL
