"""The gateway's transcript against the database, as R6 decides."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Produced, Row, Violation
from tests.chaos.judge.sides import COMPLETED, stored_text, was_lost
from tests.chaos.judge.tokens import compare


def judge_transcripts(evidence: Evidence) -> Iterator[Violation]:
    """Every run that the gateway had."""
    for run_id, run in evidence.runs.items():
        made = evidence.made_for(run_id)
        if made and run["ended_at"]:
            yield from _of_run(run_id, run, made[-1], evidence)


def _of_run(run_id: str, run: Row, made: Produced, evidence: Evidence) -> Iterator[Violation]:
    stored, said = stored_text(evidence, run_id), made.text
    partial = run["state"] != COMPLETED or was_lost(evidence, made)
    if partial and not said.startswith(stored):
        yield Violation("transcript", run_id, f"database: {compare(said, stored)}")
    if not partial and stored != said:
        yield Violation("transcript", run_id, f"database: {compare(said, stored)}")
    if partial or not run["gateway_synced"]:
        return
    theirs = [m["content"] for m in made.messages if m["role"] == "tool"]
    ours = [m["content"] for m in evidence.messages.get(run_id, []) if m["role"] == "tool"]
    if theirs != ours:
        yield Violation("transcript", run_id, f"results of tools: {theirs} became {ours}")
