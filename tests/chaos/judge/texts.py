"""Gateway's record against what every page showed, and against the log: byte for byte (R36)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Page, Row, Violation
from tests.chaos.judge.sides import COMPLETED, announced_resync, produced_text, stored_text
from tests.chaos.judge.tokens import compare
from tests.chaos.judge.views import View, views


def judge_pages(evidence: Evidence) -> Iterator[Violation]:
    """Everything that pages showed."""
    by_session: dict[str, list[Row]] = {}
    for run in evidence.runs.values():
        by_session.setdefault(str(run["session_id"]), []).append(run)
    for page in evidence.pages:
        shown = views(page)
        for view in shown.values():
            for problem in view.problems:
                kind = "ended twice" if problem.startswith("ended twice") else "seq"
                yield Violation(kind, view.run_id, f"{page.tab}: {problem}")
        for run in by_session.get(page.session_id, []):
            yield from _of_run(evidence, page, run, shown.get(run["id"]))


def _of_run(evidence: Evidence, page: Page, run: Row, view: View | None) -> Iterator[Violation]:
    wanted = _wanted(evidence, run)
    got = view.text if view is not None else ""
    if _may_miss_the_end(evidence, page, run, view):
        if not wanted.startswith(got):
            yield Violation("text", run["id"], f"{page.tab}: {compare(wanted, got)}")
        return
    if not run["ended_at"]:
        return
    difference = compare(wanted, got)
    if difference is not None:
        yield Violation("text", run["id"], f"{page.tab}: {difference}")
    elif view is not None and not view.over:
        yield Violation(
            "end not received", run["id"], f"{page.tab} does not know that it has ended"
        )


def _wanted(evidence: Evidence, run: Row) -> str:
    """A completed run: all that the gateway said. Else what was stored of it."""
    if run["state"] == COMPLETED:
        return produced_text(evidence, run["id"])
    return stored_text(evidence, run["id"])


def _may_miss_the_end(evidence: Evidence, page: Page, run: Row, view: View | None) -> bool:
    """A page that was left before, stopped the run itself (P5), or was asked to read it again."""
    muted = any(stop.hit(run) and stop.tab == page.tab for stop in evidence.stops)
    muted = muted and page.tab.endswith("/old")
    not_reread = view is not None and view.resync
    return (
        not page.until_end or muted or not_reread or (announced_resync(run) and "old" in page.tab)
    )


def judge_logs(evidence: Evidence) -> Iterator[Violation]:
    """Every log that is still there: without gap, with one end, and the gateway's words."""
    for run_id, entries in evidence.logs.items():
        run = evidence.runs.get(run_id)
        seqs = [seq for seq, _ in entries]
        if seqs and seqs != list(range(seqs[0], seqs[0] + len(seqs))):
            yield Violation("log", run_id, f"seqs {seqs}")
        ends = [event["event"] for _, event in entries if event["event"] in ENDS]
        if run is None or not run["ended_at"] or not entries:
            continue
        if len(ends) != 1 or entries[-1][1]["event"] not in ENDS:
            yield Violation("ended twice" if len(ends) > 1 else "log", run_id, f"ends {ends}")
        whole = seqs[0] == 1 and run["state"] == COMPLETED and not announced_resync(run)
        said = "".join(e.get("delta", "") for _, e in entries if e["event"] == "message.delta")
        difference = compare(produced_text(evidence, run_id), said) if whole else None
        if difference is not None:
            yield Violation("log", run_id, str(difference))


ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
