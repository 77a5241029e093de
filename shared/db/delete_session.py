"""Deleting a session: its runs are ended first, then one transaction removes all rows (P28).

The row of a live run may be removed, too, when its owner does not end it in time. The owner then
finds no row at its next write and has lost the run (`owned` in `shared/db/runs/ownership.py`), and
its gateway run is tracked as an orphan, so that it is stopped.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.constants import constants
from shared.db.gateway_sessions import UNSYNCED_AFTER, queue_deletion
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
from shared.db.runs.gateway_orphans import STOP, UNCERTAIN_POST, track_attempt
from shared.db.runs.idempotency import forget
from shared.db.runs.stop import ABORTED, open_runs, request_stop
from shared.db.runs.terminal import end_unstarted
from shared.errors import NotFound
from shared.protocol.run_states import ENDED, OPEN, RunState

STILL_KNOWN = 2 * UNSYNCED_AFTER  # seconds after its end for which a gateway may have a session


@dataclass(frozen=True)
class Stopping:
    """The state of the runs of a session that is to be deleted. `live`: have not ended yet;
    `unannounced_runs`: have ended, and clients do not know it yet."""

    live: tuple[str, ...]
    unannounced_runs: tuple[str, ...]


@dataclass(frozen=True)
class Removed:
    """What was deleted. `run_ids`: of all its runs; `forced`: of those that were still live."""

    run_ids: tuple[str, ...]
    forced: tuple[str, ...]
    messages: int


def stop_runs(tx: Session, owner: str, session_id: str) -> Stopping:
    """Request the stop of the live run and cancel the queued ones. May be called repeatedly.

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
    """Delete the session and everything that belongs to it; queue the deletion of its gateway
    sessions.

    None, and nothing is done, while a run of it is open or the end of one is not announced, unless
    `force`. Raises NotFound.
    """
    if lock_session(tx, owner, session_id) is None:
        raise NotFound("There is no such session.")
    still_open = tuple(run.id for run in open_runs(tx, owner, session_id))
    if not force and (still_open or _unannounced(tx, owner, session_id)):
        return None
    _track_live_runs(tx, still_open)
    run_ids, messages = _remove_all(tx, owner, [session_id])[session_id]
    return Removed(run_ids, still_open, messages)


def remove_idle(tx: Session, owner: str, session_ids: Collection[str]) -> dict[str, Removed]:
    """Do the same with several sessions, which the caller has locked; return what was deleted of
    each. Those stay of which a run is open or the end of one is not announced."""
    busy = tx.scalars(
        select(RunRow.session_id)
        .where(*_runs(owner, session_ids))
        .where(RunRow.state.in_(constants(OPEN)) | _IS_UNANNOUNCED)
    )
    idle = sorted({*session_ids} - {*busy})
    removed = _remove_all(tx, owner, idle) if idle else {}
    return {name: Removed(runs, (), messages) for name, (runs, messages) in removed.items()}


def _remove_all(
    tx: Session, owner: str, session_ids: Collection[str]
) -> dict[str, tuple[tuple[str, ...], int]]:
    """Return the runs, and how many messages there were, of each session."""
    mine = _runs(owner, session_ids)
    _queue_gateway_sessions(tx, mine)
    runs: dict[str, list[str]] = {name: [] for name in session_ids}
    for run_id, of in tx.execute(select(RunRow.id, RunRow.session_id).where(*mine)):
        runs[str(of)].append(run_id)
    counts = (
        select(MessageRow.session_id, func.count())
        .where(MessageRow.owner == owner, MessageRow.session_id.in_([*session_ids]))
        .group_by(MessageRow.session_id)
    )
    messages = {row[0]: row[1] for row in tx.execute(counts)}
    _delete_rows(tx, owner, session_ids)
    return {name: (tuple(ids), messages.get(name, 0)) for name, ids in runs.items()}


_IS_UNANNOUNCED = RunRow.terminal_seq.is_not(None) & RunRow.announced_at.is_(None)


def _unannounced(tx: Session, owner: str, session_id: str) -> tuple[str, ...]:
    rows = tx.scalars(
        select(RunRow.id)
        .where(*_runs(owner, [session_id]), _IS_UNANNOUNCED)
        .order_by(RunRow.queue_no)
    )
    return tuple(rows)


def _runs(owner: str, session_ids: Collection[str]) -> tuple[Any, Any]:
    return RunRow.owner == owner, RunRow.session_id.in_([*session_ids])


def _track_live_runs(tx: Session, run_ids: Sequence[str]) -> None:
    """Have the gateway runs of these runs, whose rows go, stopped (R9)."""
    rows = tx.scalars(
        select(AttemptRow).where(AttemptRow.run_id.in_(run_ids), AttemptRow.never_sent.is_(False))
    )
    for attempt in rows.all():
        track_attempt(tx, attempt, UNCERTAIN_POST if attempt.gateway_run_id is None else STOP)


def _queue_gateway_sessions(tx: Session, mine: tuple[Any, Any]) -> None:
    """Queue the gateway sessions of its ended runs for deletion: no transcript is needed (R25).

    Those of an orphaned run are queued when its checks are done. Those of runs that ended long ago
    are gone, or the sweep finds them.
    """
    orphaned = select(OrphanRow.ephemeral_id).where(OrphanRow.done_at.is_(None))
    ended = select(RunRow.id).where(
        *mine, RunRow.state.in_(constants(ENDED)), RunRow.ended_at > DbNow() - STILL_KNOWN
    )
    attempts = tx.execute(
        select(AttemptRow.profile, AttemptRow.ephemeral_id).where(
            AttemptRow.run_id.in_(ended),
            AttemptRow.never_sent.is_(False),
            AttemptRow.ephemeral_id.not_in(orphaned),
        )
    )
    for profile, ephemeral_id in attempts.all():
        queue_deletion(tx, profile, ephemeral_id, saved=True)


def _delete_rows(tx: Session, owner: str, session_ids: Collection[str]) -> None:
    """Delete all rows. Orphans that are not done stay: their gateway runs still have to be
    stopped."""
    ids = select(RunRow.id).where(*_runs(owner, session_ids))
    tx.execute(delete(AttemptRow).where(AttemptRow.run_id.in_(ids)))
    tx.execute(delete(ApprovalRow).where(ApprovalRow.run_id.in_(ids)))
    forget(tx, ids)
    tx.execute(delete(OrphanRow).where(OrphanRow.run_id.in_(ids), OrphanRow.done_at.is_not(None)))
    tx.execute(delete(RunRow).where(*_runs(owner, session_ids)))
    for table in (MessageRow, SnapshotRow, CompressionRow, UsageRow):
        here = table.owner == owner, table.session_id.in_([*session_ids])
        tx.execute(delete(table).where(*here))
    tx.execute(
        delete(SessionRow).where(SessionRow.owner == owner, SessionRow.id.in_([*session_ids]))
    )
