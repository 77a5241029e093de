"""The last transaction of a run: transcript, usage, state and last entries, all or nothing (R20).

See `terminal.py` for how its end is announced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, bindparam, exists, select, update
from sqlalchemy.orm import Session

from shared.db.gateway_sessions import queue_deletion, queue_deletion_of_attempts
from shared.db.locks import RUN_COLUMNS, lock_run, lock_session_of
from shared.db.models import MessageRow, ResponseRow, RunRow, SessionRow, SnapshotRow
from shared.db.responses.records import store_streamed
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned
from shared.db.runs.session_queue import next_queued
from shared.db.runs.terminal import Announcement, Entries, fix_end
from shared.db.sessions.stored_bytes import size_of, size_of_run
from shared.db.sessions.summaries import drop_covering
from shared.db.sessions.totals import sum_up
from shared.db.sessions.turn_messages import add_rows, clear_rows, read_rows
from shared.db.usage_write import store_usage
from shared.protocol.run_states import END_MOVES, ENDED, RunState
from shared.protocol.streamed import Parts


@dataclass(frozen=True)
class Closing:
    """What is stored at the end of a run. `rows`: the assistant and tool messages of its turn.
    `streamed`: what its log has; stored if the run is a response."""

    state: RunState
    event: str  # run.completed | run.failed
    payload: dict[str, Any]
    last_seq: int
    reason: str | None = None
    rows: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | None = None
    output: str | None = None
    synced: bool = False
    delete_sessions: Sequence[str] = ()  # ephemeral sessions that are not needed any longer
    delete_attempt_sessions: bool = False  # also those of all attempts
    timeline: dict[str, Any] | None = None  # see shared.protocol.timeline
    streamed: Parts = field(default_factory=list)


@dataclass(frozen=True)
class UnsyncedTurn:
    """The turn of a run that was stored without its gateway's transcript. `rows`: its messages
    after the prompt, as `add_rows` takes them."""

    owner: str
    session_id: str
    state: RunState
    rows: list[dict[str, Any]]


def _to_end() -> Any:
    """Lock the run and read what its end depends on. The session is locked before, so that none of
    it changes until the end is written."""
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
            exists().where(ResponseRow.run_id == RunRow.id).label("is_response"),
            next_queued().label("following"),
        )
        .where(RunRow.id == bindparam("of_run"))
        .with_for_update(of=RunRow)
    )


_TO_END = _to_end()
_SYNCED = update(RunRow).where(RunRow.id == bindparam("of_run")).values(gateway_synced=True)


def close(tx: Session, claim: Claim, closing: Closing) -> tuple[str | None, Announcement]:
    """Write the end of the run that was claimed.

    Returns the id of the next queued run of the session, and what is to be announced. Raises
    OwnershipLost.
    """
    run = owned(tx, claim, _TO_END)
    tokens = _store_turn(tx, run, closing.rows, closing.usage)
    _queue_deletions(tx, run, closing)
    if run.is_response:
        store_streamed(tx, run.id, closing.streamed)
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
        timeline=closing.timeline,
        has_following=run.following is not None,
    )
    return run.following, end


def close_bare(tx: Session, claim: Claim, closing: Closing) -> tuple[str | None, Announcement]:
    """As `close`, but without messages, usage and new sums: nothing in it depends on what a gateway
    said. Raises OwnershipLost."""
    run = owned(tx, claim, _TO_END)
    session = tx.get(SessionRow, (run.owner, run.session_id)) if run.session_id else None
    counted = {
        "inputTokens": session.input_tokens if session is not None else 0,
        "outputTokens": session.output_tokens if session is not None else 0,
    }
    end = fix_end(
        tx,
        run,
        END_MOVES[closing.state],
        [(closing.event, {**closing.payload, **counted})],
        last_seq=closing.last_seq,
        reason=closing.reason,
        has_following=run.following is not None,
    )
    return run.following, end


def unsynced_turn(tx: Session, run_id: str) -> UnsyncedTurn | None:
    """Return the turn for `replace_late`; None if it has its transcript, or has no session."""
    run = tx.get(RunRow, run_id)
    if run is None or run.gateway_synced or run.session_id is None:
        return None
    return UnsyncedTurn(run.owner, run.session_id, RunState(run.state), read_rows(tx, run_id))


def replace_late(
    tx: Session,
    run_id: str,
    rows: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Any] | None,
) -> bool:
    """Store the transcript of an ended run that came only now, in its own turn (R24).

    False if that was done before, or the run is gone.
    """
    if lock_session_of(tx, run_id) is None:
        return False
    run = lock_run(tx, run_id, _TO_END)
    if run is None or run.gateway_synced or run.state not in ENDED or run.turn_no is None:
        return False
    _store_turn(tx, run, rows, usage)
    tx.connection().execute(_SYNCED, {"of_run": run.id})
    return True


def _store_turn(
    tx: Session,
    run: Row[Any],
    rows: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Any] | None,
) -> tuple[int, int]:
    """Store messages, usage and sums; return the session's input and output tokens (P22)."""
    added = _replace_rows(tx, run, rows) if run.session_id is not None else 0
    store_usage(tx, run, usage, run.now)
    answers = [row["content"] for row in rows if row["role"] == "assistant"]
    preview = " ".join(answers[-1].split())[:100] if answers else None
    return sum_up(tx, run.owner, run.session_id, preview=preview, now=run.now, added=added)


def _replace_rows(tx: Session, run: Row[Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Replace the rows of the turn; return by how many bytes it grows. A snapshot that covers the
    turn is dropped, since it summarizes the former rows (R23)."""
    if run.is_covered:
        drop_covering(tx, run.owner, run.session_id, run.turn_no)
    removed = 0
    if run.has_rows:
        removed = size_of_run(tx, run.id, with_prompt=False)
        clear_rows(tx, run.id)
    add_rows(tx, run, rows, run.now)
    return sum(map(size_of, rows)) - removed


def _queue_deletions(tx: Session, run: Row[Any], closing: Closing) -> None:
    if closing.delete_attempt_sessions:
        queue_deletion_of_attempts(tx, run.id, run.profile, saved=closing.synced)
    for ephemeral_id in closing.delete_sessions:
        queue_deletion(tx, run.profile, ephemeral_id, saved=closing.synced)
