"""The table, and the same as an object for machines."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.evidence.evidence import Evidence, Violation
from tests.chaos.judge.ends import ends_by_reason
from tests.chaos.judge.leftovers import keys_without_ttl
from tests.chaos.judge.pauses import by_fault
from tests.chaos.judge.posts import exceptions, posts_per_run, proved_absent
from tests.chaos.judge.texts import judge_pages
from tests.chaos.judge.tokens import count
from tests.chaos.judge.views import views
from tests.chaos.schedule import Plan


def summary(plan: Plan, evidence: Evidence, violations: list[Violation]) -> dict[str, Any]:
    """Everything that the table shows."""
    return {
        "seed": plan.seed,
        "seconds": plan.seconds,
        "database": plan.database,
        "faults": dict(Counter(fault.name for fault in evidence.faults).most_common()),
        "faults_total": len(evidence.faults),
        "runs": len(evidence.runs),
        "prompts": plan.runs,
        "answers_to_prompts": dict(Counter(sent.code for sent in evidence.sent).most_common()),
        "tokens": sum(len(made.tokens) for made in evidence.produced.values()),
        "pages": len(evidence.pages),
        "tokens_shown": _shown(evidence),
        **_tokens(evidence),
        "ended_twice": sum(v.kind == "ended twice" for v in violations),
        "posts_per_run": dict(sorted(posts_per_run(evidence).items())),
        "post_exceptions": exceptions(evidence),
        "proved_absent": proved_absent(evidence),
        "run_ends": dict(ends_by_reason(evidence).most_common()),
        "open_runs": sum(v.kind == "open run" for v in violations),
        "keys_without_ttl": keys_without_ttl(evidence),
        "resyncs": _count_received(evidence, "session.resync"),
        "not_let_in": dict(Counter(evidence.not_let_in).most_common()),
        "unrecovered_tabs": _count_received(evidence, "unrecovered"),
        "memory": [
            {"process": m.name, "start_mb": m.start >> 20, "end_mb": m.end >> 20}
            | {"seconds": round(m.seconds), "threads": m.threads, "files": m.files}
            for m in sorted(evidence.memory, key=lambda m: m.name)
        ],
        "longest_pause": _pauses(evidence, alone=False),
        "longest_pause_alone": _pauses(evidence, alone=True),
        "violations": [vars(violation) for violation in violations],
    }


def table(result: dict[str, Any]) -> str:
    """For people."""
    lines = [
        f"seed {result['seed']}, {result['seconds']:.0f} s, {result['database']}",
        f"faults           {result['faults_total']}",
        *(f"  {name:22} {n}" for name, n in result["faults"].items()),
        f"runs             {result['runs']} of {result['prompts']} prompts",
        f"  {result['answers_to_prompts']}",
        f"tokens           {result['tokens']} produced, {result['tokens_shown']} shown",
        *(f"{name:16} {result[name]}" for name in ("lost", "doubled", "out_of_order")),
        *(f"{name:16} {result[name]}" for name in ("ended_twice", "open_runs")),
        f"POSTs per run    {result['posts_per_run']}",
        *(f"  {run_id}: {why or 'NOT LEGAL'}" for run_id, why in result["post_exceptions"]),
        *(f"  {run_id}: posted again after proof" for run_id in result["proved_absent"]),
        "run ends",
        *(f"  {name:22} {n}" for name, n in result["run_ends"].items()),
        f"keys without TTL {len(result['keys_without_ttl'])}",
        f"resyncs          {result['resyncs']}, tabs not recovered {result['unrecovered_tabs']}",
        f"tabs not let in  {sum(result['not_let_in'].values())} times {result['not_let_in']}",
        "memory (MB after the warm-up, at the end)",
        *(_memory(m) for m in result["memory"]),
        "longest pause on a page, by class of faults in force (s); with no other in force",
        *(
            f"  {name:22} {seconds:6}  {result['longest_pause_alone'].get(name, '-')}"
            for name, seconds in result["longest_pause"].items()
        ),
        f"violations       {len(result['violations'])}",
    ]
    return "\n".join(lines)


def _pauses(evidence: Evidence, *, alone: bool) -> dict[str, float]:
    found = by_fault(evidence, alone=alone)
    return {name or "(no fault)": round(pause.seconds, 2) for name, pause in sorted(found.items())}


def _memory(life: dict[str, Any]) -> str:
    grown = 100 * (life["end_mb"] / max(1, life["start_mb"]) - 1)
    sizes = f"{life['start_mb']} -> {life['end_mb']} ({grown:+.0f} %) in {life['seconds']} s"
    return f"  {life['process']:22} {sizes}, threads {life['threads']}, files {life['files']}"


def _count_received(evidence: Evidence, name: str) -> int:
    return sum(event.name == name for page in evidence.pages for event in page.received)


def _shown(evidence: Evidence) -> int:
    return sum(count(view.text) for page in evidence.pages for view in views(page).values())


def _tokens(evidence: Evidence) -> dict[str, int]:
    """Tokens that pages lack, have twice, or in another order: counted where a text was judged."""
    wrong = [v.what for v in judge_pages(evidence) if v.kind == "text"]
    totals = dict.fromkeys(("lost", "doubled", "out_of_order"), 0)
    for what in wrong:
        words = what.partition(": ")[2].replace(",", "").split()
        totals["lost"] += int(words[0])
        totals["doubled"] += int(words[2])
        totals["out_of_order"] += int(words[4])
    return totals
