"""Stopping runs and cancelling queued ones: one transaction under the session's lock (R9, R19)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.constants import constants
from shared.db.locks import lock_run, lock_session, lock_session_of
from shared.db.models import RunRow
from shared.db.runs.state import move, update_state
from shared.db.runs.terminal import end_unstarted
from shared.errors import NotFound
from shared.protocol.run_states import LIVE, OPEN, Move, RunState, is_allowed

ABORTED = "aborted"


@dataclass(frozen=True)
class Stopped:
    """A run whose stop was requested. `ended`: it was still queued, and has ended now."""

    run_id: str
    session_id: str | None
    status: str
    ended: bool = False
    next_run: str | None = None  # the queued run that is first in line now
    input: Any = None  # of a run that was taken back: what was sent


_OPEN_RUNS: Any = (
    select(RunRow.id, RunRow.session_id, RunRow.state, RunRow.queue_no)
    .where(
        RunRow.owner == bindparam("owner"),
        RunRow.session_id == bindparam("session_id"),
        RunRow.state.in_(constants(OPEN)),
    )
    .order_by(RunRow.queue_no)
)
_STOP_REQUESTED = update_state(stop_reason=ABORTED, stop_requested_at=DbNow())


def ask_stop(tx: Session, owner: str, session_id: str | None, run_id: str | None) -> Stopped | None:
    """Stop this run; without `run_id` the live one, else the first in the queue (R9).

    None if there is nothing to stop. May be called repeatedly.
    """
    run = _target(tx, owner, session_id, run_id)
    if run is None:
        return None
    if run.state == RunState.QUEUED:
        return _end_now(tx, run, keep_prompt=True)
    return Stopped(run.id, run.session_id, request_stop(tx, run))


def cancel(tx: Session, owner: str, session_id: str | None, run_id: str) -> Stopped:
    """Remove a queued run, with its prompt; one that has begun is stopped instead (R19).

    Raises NotFound.
    """
    run = _target(tx, owner, session_id, run_id)
    if run is None:
        raise NotFound()
    if run.state == RunState.QUEUED:
        said = tx.scalar(select(RunRow.input).where(RunRow.id == run.id))
        ended = _end_now(tx, run, keep_prompt=run.turn_no is not None)
        return replace(ended, input=said)
    return Stopped(run.id, run.session_id, request_stop(tx, run))


def open_runs(tx: Session, owner: str, session_id: str | None) -> Sequence[Row[Any]]:
    """Return the runs of the session that have not ended, in the order of the queue: `id`,
    `session_id`, `state`, `queue_no`."""
    if session_id is None:
        return []
    here = {"owner": owner, "session_id": session_id}
    runs: Sequence[Row[Any]] = tx.connection().execute(_OPEN_RUNS, here).all()
    return runs


def is_stop_asked(tx: Session, run_id: str) -> bool:
    """Whether a stop of the run was requested, in whatever state it is now."""
    asked = select(RunRow.id).where(RunRow.id == run_id, RunRow.stop_requested_at.is_not(None))
    return tx.scalar(asked) is not None


def _target(tx: Session, owner: str, session_id: str | None, run_id: str | None) -> Row[Any] | None:
    """Lock and return the named run, or without a name the one to stop; its session first."""
    if run_id is not None:
        if not _is_theirs(tx, owner, session_id, run_id):
            return None  # before any lock: a stranger's request must not wait for the owner's
        lock_session_of(tx, run_id)
        return lock_run(tx, run_id)
    if session_id is None or lock_session(tx, owner, session_id) is None:
        return None
    runs = open_runs(tx, owner, session_id)
    live = [run for run in runs if run.state in LIVE]
    first = next(iter([*live, *runs]), None)
    return lock_run(tx, first.id) if first is not None else None


def _is_theirs(tx: Session, owner: str, session_id: str | None, run_id: str) -> bool:
    """Whether the run is this owner's and, if one is named, of this session; both never change."""
    whose = tx.execute(select(RunRow.owner, RunRow.session_id).where(RunRow.id == run_id)).first()
    return whose is not None and whose.owner == owner and session_id in {None, whose.session_id}


def request_stop(tx: Session, run: Row[Any]) -> str:
    """Set the flag that the owner of a running run looks at; return the state after that.

    A run in another state is not changed.
    """
    if not is_allowed(Move.REQUEST_STOP, run.state):
        return str(run.state)
    return move(tx, run, Move.REQUEST_STOP, _STOP_REQUESTED).value


def _end_now(tx: Session, run: Row[Any], *, keep_prompt: bool) -> Stopped:
    end_unstarted(tx, run.owner, run.id, reason=ABORTED, keep_prompt=keep_prompt)
    following = _startable(tx, run)
    return Stopped(run.id, run.session_id, RunState.ABORTED.value, ended=True, next_run=following)


def _startable(tx: Session, run: Row[Any]) -> str | None:
    """Return the next run of the session, if nothing there is live. It is due as soon as the end
    before it is announced."""
    following = open_runs(tx, run.owner, run.session_id)
    if not following or any(other.state in LIVE for other in following):
        return None
    return str(following[0].id)
