"""What a tab records of an event: only what a judge needs."""

from __future__ import annotations

import time
from typing import Any

from tests.chaos.evidence.evidence import ReceivedEvent


def note(name: str, payload: dict[str, Any]) -> ReceivedEvent:
    """The record of an event that a page has just received."""
    shown: dict[str, Any] | None = None
    if name in ("resumed", "session.resync"):
        shown = {"replay": bool(payload.get("replay")), "degraded": bool(payload.get("degraded"))}
        shown["texts"] = _texts(payload.get("messages", []))
        shown["working"] = bool(payload.get("isWorking"))
    return ReceivedEvent(
        time.time(),
        name,
        str(payload.get("run_id") or ""),
        int(payload.get("epoch") or 0),
        int(payload.get("seq") or 0),
        str(payload.get("delta") or "") if name == "message.delta" else "",
        f"{payload.get('reason') or ''}{'/resync' if payload.get('resync') else ''}",
        shown,
    )


def _texts(messages: list[dict[str, Any]]) -> dict[str, str]:
    """Answer text by run: what a page shows of each."""
    texts: dict[str, str] = {}
    for message in messages:
        run_id = str(message.get("run_id") or str(message.get("id", "")).partition(":")[0])
        if message.get("role") == "assistant":
            texts[run_id] = texts.get(run_id, "") + str(message.get("content", ""))
        elif message.get("role") == "user":
            texts.setdefault(run_id, "")
    return texts
