"""What a Celery task says of its run, for Flower: which run it had, and how that went.

A task is a hint that one more run is due, so its message does not say which (ADR 0024). What is to
be seen, the task learns while it works: whoever claims, ends or puts back the run notes it here,
and the task ends as the run did. An aborted or failed run is a failure of its task, without a
traceback; Celery knows no other end that Flower would not show as a success.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, Final

from shared import log_context
from shared.celery_savings import TaskEvents
from shared.db.runs.claim import Claim
from shared.protocol.run_states import RunState

NOTHING_DONE: Final = "not this worker's to do"
HANDED_ON: Final = "left to another worker"


class RunFailed(Exception):
    """The run failed; the message is its reason."""


class RunAborted(Exception):
    """The run was stopped; the message is its reason."""


EXPECTED: Final = (RunFailed, RunAborted)


@dataclass
class _Report:
    describe: Callable[[str, str], None]
    words: str = NOTHING_DONE
    error: Exception | None = None


_REPORT: ContextVar[_Report | None] = ContextVar("task_report", default=None)


def reported(task: Any, events: TaskEvents, work: Callable[[], object]) -> str:
    """Do the work of this bound task; return how its run went, for Flower. Raises RunFailed,
    RunAborted, and what `work` raises."""

    def describe(run_id: str, words: str) -> None:
        # A second event of the start: its fields replace those of the message in Flower.
        events.send("task-started", uuid=task.request.id, args=repr((run_id,)), kwargs=words)

    def inside() -> _Report:
        report = _Report(describe)
        _REPORT.set(report)
        work()
        return report

    report = copy_context().run(inside)  # what the work sets for its log ends with it
    if report.error is not None:
        raise report.error
    return report.words


def claimed(claim: Claim) -> None:
    """This worker has the run now."""
    report = _REPORT.get()
    if report is None:
        return
    log_context.bind(run_id=claim.run_id, session_id=claim.session_id, owner=claim.owner)
    report.words = HANDED_ON
    session = claim.session_id or "-"
    report.describe(
        claim.run_id, f"session={session!r} profile={claim.profile!r} owner={claim.owner!r}"
    )


def ended(state: RunState, reason: str) -> None:
    """The run has ended."""
    report = _REPORT.get()
    if report is None:
        return
    report.words = str(state)
    if state is RunState.FAILED:
        report.error = RunFailed(reason)
    elif state is RunState.ABORTED:
        report.error = RunAborted(reason)


def put_back(reason: str) -> None:
    """The run waits again."""
    report = _REPORT.get()
    if report is not None:
        report.words = f"put back: {reason}"
