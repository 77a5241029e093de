"""What each side has of a run: the gateway, the database, the log."""

from __future__ import annotations

from tests.chaos.evidence.evidence import Evidence, Produced, Row

COMPLETED = "completed"


def produced_text(evidence: Evidence, run_id: str) -> str:
    """What the gateway said, in the last of its runs for this one."""
    made = evidence.made_for(run_id)
    return made[-1].text if made else ""


def stored_text(evidence: Evidence, run_id: str) -> str:
    """The stored answer."""
    rows = evidence.messages.get(run_id, [])
    return "".join(row["content"] for row in rows if row["role"] == "assistant")


def was_lost(evidence: Evidence, made: Produced) -> bool:
    """Whether the gateway died under that run."""
    return not made.status


def tag_of(run: Row) -> str:
    """The tag in a run's prompt."""
    prompt = str(run["input"])
    start = prompt.find('"text": "')
    return prompt[start + 9 : prompt.find(".{n}", start)] if start >= 0 else ""


def announced_resync(run: Row) -> bool:
    """Whether its end asked pages to read the session again."""
    entries = run.get("terminal_entries") or []
    return bool(entries and entries[-1][1].get("resync"))
