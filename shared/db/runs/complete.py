"""The closing transaction of a run: transcript, usage, state, last words, all or nothing (R20)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, exists, select, update
from sqlalchemy.orm import Session

from shared.db.gateway_sessions import forget, forget_attempts
from shared.db.locks import RUN_COLUMNS, lock_run, lock_session_of
from shared.db.models import MessageRow, RunRow, SnapshotRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned
from shared.db.runs.session_queue import next_queued
from shared.db.runs.terminal import Announcement, Entries, fix_end
from shared.db.sessions.summaries import drop_covering
from shared.db.sessions.totals import sum_up
from shared.db.sessions.turn_messages import add_rows, clear_rows
from shared.db.usage_write import store_usage
from shared.protocol.run_states import END_MOVES, ENDED, RunState


@dataclass(frozen=True)
class Closing:
    """What the end of a run leaves behind. `rows` are the turn's assistant and tool messages."""

    state: RunState
    event: str  # run.completed | run.failed
    payload: dict[str, Any]
    last_seq: int
    reason: str | None = None
    rows: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | None = None
    output: str | None = None
    synced: bool = False
    forget: Sequence[str] = ()  # ephemeral sessions that may be deleted
    forget_attempts: bool = False  # and those of all attempts


def _to_end() -> Any:
    """The run, locked, and what its end depends on. The session is locked already, so that
    nothing of it changes any more."""
    rows = exists().where(MessageRow.run_id == RunRow.id, MessageRow.idx > 0)
    covering = exists().where(
        SnapshotRow.owner == RunRow.owner,
        SnapshotRow.session_id == RunRow.session_id,
        SnapshotRow.last_turn_no >= RunRow.turn_no,
    )
    return (
        select(
            *RUN_COLUMNS,
            rows.label("has_rows"),
            covering.label("is_covered"),
            next_queued().label("following"),
        )
        .where(RunRow.id == bindparam("of_run"))
        .with_for_update(of=RunRow)
    )


_TO_END = _to_end()
_SYNCED = update(RunRow).where(RunRow.id == bindparam("of_run")).values(gateway_synced=True)


def close(tx: Session, claim: Claim, closing: Closing) -> tuple[str | None, Announcement]:
    """Write the end; the id of the session's next queued run, and what is to be told. Raises
    LostRun."""
    run = owned(tx, claim, _TO_END)
    tokens = _leave(tx, run, closing.rows, closing.usage)
    _forget(tx, run, closing)
    counted = {"inputTokens": tokens[0], "outputTokens": tokens[1]}
    entries: Entries = [
        ("usage.updated", counted),
        (closing.event, {**closing.payload, **counted}),
    ]
    end = fix_end(
        tx,
        run,
        END_MOVES[closing.state],
        entries,
        last_seq=closing.last_seq,
        reason=closing.reason,
        output=closing.output,
        usage=dict(closing.usage) if closing.usage else None,
        synced=closing.synced,
    )
    return run.following, end


def replace_late(
    tx: Session,
    run_id: str,
    rows: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Any] | None,
) -> bool:
    """Give an ended run the rows that its gateway told only now, its own turn and no other (R24).

    False if that was done before, or the run is gone.
    """
    if lock_session_of(tx, run_id) is None:
        return False
    run = lock_run(tx, run_id, _TO_END)
    if run is None or run.gateway_synced or run.state not in ENDED or run.turn_no is None:
        return False
    _leave(tx, run, rows, usage)
    tx.connection().execute(_SYNCED, {"of_run": run.id})
    return True


def _leave(
    tx: Session,
    run: Row[Any],
    rows: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Any] | None,
) -> tuple[int, int]:
    """Messages, usage and sums; the input and output tokens of the session (P22)."""
    if run.session_id is not None:
        _replace_rows(tx, run, rows)
    store_usage(tx, run, usage, run.now)
    answers = [row["content"] for row in rows if row["role"] == "assistant"]
    preview = " ".join(answers[-1].split())[:100] if answers else None
    return sum_up(tx, run.owner, run.session_id, preview=preview, now=run.now)


def _replace_rows(tx: Session, run: Row[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """The turn's own rows. A snapshot that covers the turn is dropped, since it tells of the rows
    before (R23)."""
    if run.is_covered:
        drop_covering(tx, run.owner, run.session_id, run.turn_no)
    if run.has_rows:
        clear_rows(tx, run.id)
    add_rows(tx, run, rows, run.now)


def _forget(tx: Session, run: Row[Any], closing: Closing) -> None:
    if closing.forget_attempts:
        forget_attempts(tx, run.id, run.profile, saved=closing.synced)
    for ephemeral_id in closing.forget:
        forget(tx, run.profile, ephemeral_id, saved=closing.synced)
