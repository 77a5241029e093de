"""Readers of sessions' event streams have every word of each run that began before their eyes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Row, Violation
from tests.chaos.judge.sides import stored_text


def judge_streams(evidence: Evidence) -> Iterator[Violation]:
    """What was streamed is what is stored, in order and once; and no reader was refused."""
    for session_id, events in evidence.streams.items():
        if any(event["event"] == "refused" for event in events):
            yield Violation("stream refused", "", session_id)
        begun = [e["run_id"] for e in events if e["event"] == "run.started"]
        if not begun:
            yield Violation("stream", "", f"{session_id}: no run began")
        for run_id in dict.fromkeys(begun):
            if begun.count(run_id) > 1:
                yield Violation("stream", run_id, f"{session_id}: it began {begun.count(run_id)}x")
            mine = [event for event in events if event.get("run_id") == run_id]
            if _shown(mine) != stored_text(evidence, run_id):
                yield Violation("stream", run_id, f"{session_id}: not what is stored")
            yield from _order(session_id, run_id, mine)
        first = min((evidence.runs[run_id]["created_at"] for run_id in begun), default=0.0)
        for run in evidence.runs.values():
            later = run["session_id"] == session_id and run["created_at"] > first
            if later and run["id"] not in begun:
                yield Violation("stream", run["id"], f"{session_id}: it never began")


def _order(session_id: str, run_id: str, events: list[Row]) -> Iterator[Violation]:
    places = [(event["epoch"], event["seq"]) for event in events if event.get("seq")]
    if places != sorted(set(places)):
        yield Violation("stream", run_id, f"{session_id}: out of order, or twice")


def _shown(events: list[Row]) -> str:
    shown = ""
    for event in events:
        if event["event"] == "message.delta":
            shown += event["delta"]
        elif event["event"] == "message.snapshot":
            shown = event["text"]
    return shown
