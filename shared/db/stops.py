"""Stopping and taking back runs: each one transaction under the session's lock (R9, R19)."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.endings import end_unstarted
from shared.db.locks import lock_run, lock_session
from shared.db.models import RunRow
from shared.errors import NotFound
from shared.runs import LIVE, OPEN, RunState

ABORTED = "aborted"


@dataclass(frozen=True)
class Stopped:
    """A run that was asked to stop. `ended`: it had not begun and has ended now."""

    run_id: str
    session_id: str | None
    status: str
    ended: bool = False
    next_run: str | None = None  # waits, and nothing is before it any more


def ask_stop(
    session: Session, owner: str, session_id: str | None, run_id: str | None
) -> Stopped | None:
    """Stop that run; without `run_id` the live one, else the head of the queue (R9).

    None if there is nothing to stop. Again and again is the same as once.
    """
    target = _target(session, owner, session_id, run_id)
    if target is None:
        return None
    lock_session(session, owner, target.session_id)
    if lock_run(session, target.id) is None:
        return None
    if target.state == RunState.QUEUED:
        return _end_now(session, target, keep_prompt=True)
    request_stop(session, target)
    return Stopped(target.id, target.session_id, target.state)


def cancel(session: Session, owner: str, session_id: str | None, run_id: str) -> Stopped:
    """Take a waiting run out of the queue, with its prompt. One that has begun is stopped (R19).

    Raises NotFound.
    """
    target = _target(session, owner, session_id, run_id)
    if target is None:
        raise NotFound()
    lock_session(session, owner, target.session_id)
    if lock_run(session, target.id) is None:
        raise NotFound()
    if target.state == RunState.QUEUED:
        return _end_now(session, target, keep_prompt=target.turn_no is not None)
    request_stop(session, target)
    return Stopped(target.id, target.session_id, target.state)


def open_runs(session: Session, owner: str, session_id: str | None) -> list[RunRow]:
    """The session's runs that have not ended, in the order of the queue."""
    if session_id is None:
        return []
    rows = session.scalars(
        select(RunRow)
        .where(RunRow.owner == owner, RunRow.session_id == session_id, RunRow.state.in_([*OPEN]))
        .order_by(RunRow.queue_no)
    )
    return list(rows)


def is_stop_asked(session: Session, run_id: str) -> bool:
    """Whether somebody has asked to stop the run, whoever has heard of it by now."""
    asked = select(RunRow.id).where(RunRow.id == run_id, RunRow.stop_requested_at.is_not(None))
    return session.scalar(asked) is not None


def _target(
    session: Session, owner: str, session_id: str | None, run_id: str | None
) -> RunRow | None:
    if run_id is not None:
        run = session.get(RunRow, run_id)
        if run is None or run.owner != owner:
            return None
        return run if session_id in {None, run.session_id} else None
    if session_id is None or lock_session(session, owner, session_id) is None:
        return None
    runs = open_runs(session, owner, session_id)
    live = [run for run in runs if run.state in LIVE]
    return next(iter([*live, *runs]), None)


def request_stop(session: Session, run: RunRow) -> None:
    """Raise the flag that the run's owner looks at; a run that is not running is left alone."""
    if run.state != RunState.RUNNING:
        return
    run.state = RunState.STOPPING.value
    run.stop_reason = ABORTED
    session.flush()
    session.execute(update(RunRow).where(RunRow.id == run.id).values(stop_requested_at=DbNow()))


def _end_now(session: Session, run: RunRow, *, keep_prompt: bool) -> Stopped:
    end_unstarted(session, run.owner, run.id, reason=ABORTED, keep_prompt=keep_prompt)
    return Stopped(run.id, run.session_id, run.state, ended=True, next_run=_startable(session, run))


def _startable(session: Session, run: RunRow) -> str | None:
    """The next run of the session, marked as sent, if nothing is before it."""
    following = open_runs(session, run.owner, run.session_id)
    if not following or any(other.state in LIVE for other in following):
        return None
    session.execute(update(RunRow).where(RunRow.id == following[0].id).values(enqueued_at=DbNow()))
    return following[0].id
