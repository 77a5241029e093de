"""Deleting a session: first its runs are ended, then one transaction removes all rows (P28).

The row of a run that is still live may be removed, too, when its owner does not end it in time:
whoever writes for it after that finds no row and has lost it (`owned` in
`shared/db/runs/ownership.py`), and a chase stops what the gateway still does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.gateway_sessions import UNSYNCED_AFTER, forget
from shared.db.locks import lock_session
from shared.db.models import (
    ApprovalRow,
    AttemptRow,
    CompressionRow,
    MessageRow,
    OrphanRow,
    RunRow,
    SessionRow,
    SnapshotRow,
    UsageRow,
)
from shared.db.runs.orphans import STOP, UNCERTAIN_POST, track_orphan
from shared.db.runs.stop import ABORTED, open_runs, request_stop
from shared.db.runs.terminal import end_unstarted
from shared.errors import NotFound
from shared.protocol.run_states import ENDED, RunState

STILL_KNOWN = 2 * UNSYNCED_AFTER  # seconds after its end in which a gateway may have a session


@dataclass(frozen=True)
class Stopping:
    """Where the ending of a session's runs stands. `live` still work; `untold` have ended, and
    clients have not been told."""

    live: tuple[str, ...]
    unannounced_runs: tuple[str, ...]


@dataclass(frozen=True)
class Removed:
    """What is gone. `run_ids`: of all its runs; `forced`: those among them that were live."""

    run_ids: tuple[str, ...]
    forced: tuple[str, ...]
    messages: int


def stop_runs(tx: Session, owner: str, session_id: str) -> Stopping:
    """Ask the live run to stop and take the waiting ones back. Again is the same as once.

    Raises NotFound.
    """
    if lock_session(tx, owner, session_id) is None:
        raise NotFound("There is no such session.")
    for run in open_runs(tx, owner, session_id):
        if run.state == RunState.QUEUED:
            end_unstarted(tx, owner, run.id, reason=ABORTED, keep_prompt=False)
        else:
            request_stop(tx, run)
    live = (run.id for run in open_runs(tx, owner, session_id))
    return Stopping(tuple(live), _unannounced(tx, owner, session_id))


def remove(tx: Session, owner: str, session_id: str, *, force: bool) -> Removed | None:
    """Delete the session and everything that is kept of it. What its gateways may have of it is
    queued for deletion.

    None, and nothing done, while a run of it is open or its end untold, unless `force`.
    Raises NotFound.
    """
    if lock_session(tx, owner, session_id) is None:
        raise NotFound("There is no such session.")
    left = tuple(run.id for run in open_runs(tx, owner, session_id))
    if not force and (left or _unannounced(tx, owner, session_id)):
        return None
    mine = _runs(owner, session_id)
    _track_live_runs(tx, left)
    _forget_gateway_sessions(tx, mine)
    run_ids = tuple(tx.scalars(select(RunRow.id).where(*mine)))
    messages = _delete_rows(tx, owner, session_id)
    return Removed(run_ids, left, messages)


def _unannounced(tx: Session, owner: str, session_id: str) -> tuple[str, ...]:
    rows = tx.scalars(
        select(RunRow.id)
        .where(*_runs(owner, session_id))
        .where(RunRow.terminal_seq.is_not(None), RunRow.announced_at.is_(None))
        .order_by(RunRow.queue_no)
    )
    return tuple(rows)


def _runs(owner: str, session_id: str) -> tuple[Any, Any]:
    return RunRow.owner == owner, RunRow.session_id == session_id


def _track_live_runs(tx: Session, run_ids: Sequence[str]) -> None:
    """Have the gateway's part of runs stopped that nobody here knows any more (R9)."""
    rows = tx.scalars(
        select(AttemptRow).where(AttemptRow.run_id.in_(run_ids), AttemptRow.never_sent.is_(False))
    )
    for attempt in rows.all():
        track_orphan(
            tx,
            run_id=attempt.run_id,
            profile=attempt.profile,
            kind=UNCERTAIN_POST if attempt.gateway_run_id is None else STOP,
            ephemeral_id=attempt.ephemeral_id,
            gateway_run_id=attempt.gateway_run_id,
        )


def _forget_gateway_sessions(tx: Session, mine: tuple[Any, Any]) -> None:
    """No transcript is waited for any more, so none is a reason to keep them (R25).

    Those of a chase are queued at its end. Long ended runs' are gone, or found by the sweep.
    """
    chased = select(OrphanRow.ephemeral_id).where(OrphanRow.done_at.is_(None))
    ended = select(RunRow.id).where(
        *mine, RunRow.state.in_([*ENDED]), RunRow.ended_at > DbNow() - STILL_KNOWN
    )
    attempts = tx.execute(
        select(AttemptRow.profile, AttemptRow.ephemeral_id).where(
            AttemptRow.run_id.in_(ended),
            AttemptRow.never_sent.is_(False),
            AttemptRow.ephemeral_id.not_in(chased),
        )
    )
    for profile, ephemeral_id in attempts.all():
        forget(tx, profile, ephemeral_id, saved=True)


def _delete_rows(tx: Session, owner: str, session_id: str) -> int:
    """The number of messages that are gone. Open chases stay: they work at the gateway."""
    ids = select(RunRow.id).where(*_runs(owner, session_id))
    tx.execute(delete(AttemptRow).where(AttemptRow.run_id.in_(ids)))
    tx.execute(delete(ApprovalRow).where(ApprovalRow.run_id.in_(ids)))
    tx.execute(delete(OrphanRow).where(OrphanRow.run_id.in_(ids), OrphanRow.done_at.is_not(None)))
    tx.execute(delete(RunRow).where(*_runs(owner, session_id)))
    here = (MessageRow.owner == owner, MessageRow.session_id == session_id)
    messages = tx.scalar(select(func.count()).select_from(MessageRow).where(*here))
    for table in (MessageRow, SnapshotRow, CompressionRow, UsageRow):
        tx.execute(delete(table).where(table.owner == owner, table.session_id == session_id))
    tx.execute(delete(SessionRow).where(SessionRow.owner == owner, SessionRow.id == session_id))
    return messages or 0
