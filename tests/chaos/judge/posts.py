"""How often the gateway was asked: once, unless it can be shown why not (R2, R3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Produced, Violation
from tests.chaos.judge.sides import COMPLETED


def posts_per_run(evidence: Evidence) -> Counter[int]:
    """How many runs had how many accepted POSTs."""
    return Counter(len(evidence.made_for(run_id)) for run_id in evidence.runs)


def exceptions(evidence: Evidence) -> list[tuple[str, str]]:
    """Runs with more than one accepted POST, and why that was legal ("" if it was not)."""
    found = []
    for run_id in evidence.runs:
        made = evidence.made_for(run_id)
        if len(made) > 1:
            found.append((run_id, _excuse(evidence, run_id, made)))
    return found


def proved_absent(evidence: Evidence) -> list[str]:
    """Runs that were posted again since the gateway proved that it never had them (R2)."""
    return [row["run_id"] for row in evidence.attempts if row.get("proved_absent_at")]


def _excuse(evidence: Evidence, run_id: str, made: list[Produced]) -> str:
    if run_id in evidence.double_posts and sum(p.stops > 0 for p in made) >= len(made) - 1:
        return "double_post of a frozen sender, counted and stopped"
    if all(p.pid != made[-1].pid for p in made[:-1]):
        if all(not p.status for p in made[:-1]):
            return "the gateway died with the earlier one"
        if all(not p.status or _forgotten(evidence, p) for p in made[:-1]):
            return (
                "the gateway died before it answered, and forgot the earlier one, which had ended"
            )
    return ""


def _forgotten(evidence: Evidence, made: Produced) -> bool:
    """No answer to its POST was written down, and the next process of the gateway did not know its
    session any more. The demo gateway has its sessions in memory; a real one keeps them, and would
    have shown this one."""
    return any(
        row["ephemeral_id"] == made.session_id
        and row.get("gateway_run_id") is None
        and row.get("proved_absent_at") is not None
        for row in evidence.attempts
    )


def judge_posts(evidence: Evidence) -> Iterator[Violation]:
    """More than one, none for an answered run, or one without an attempt row."""
    for run_id, excuse in exceptions(evidence):
        if not excuse:
            ids = [p.run_id for p in evidence.made_for(run_id)]
            yield Violation("posts", run_id, f"the gateway ran it {len(ids)} times: {ids}")
    for run_id, run in evidence.runs.items():
        if run["state"] == COMPLETED and not evidence.made_for(run_id):
            yield Violation("posts", run_id, "completed, but the gateway never had it")
    known = {row["ephemeral_id"] for row in evidence.attempts}
    for made in evidence.produced.values():
        if made.session_id not in known and "compress" not in made.session_id:
            yield Violation("posts", "", f"gateway run {made.run_id}: no attempt was written down")
