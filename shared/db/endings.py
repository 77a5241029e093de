"""Ends of runs, in the database: fixed here before anybody is told (R19, R20)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.locks import lock_run, lock_session
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.shown_message import MESSAGE_COLUMNS, Message, message
from shared.events import Payload
from shared.redis_keys import RunKeys, feed_tag
from shared.runs import RunState

Entries = list[tuple[str, Payload]]


@dataclass(frozen=True)
class Announcement:
    """What has to be told of an ended run: entries …, terminal_seq."""

    keys: RunKeys
    fence: int
    epoch: int
    terminal_seq: int
    entries: Entries
    announced: bool


def numbered(run: RunRow, entries: Entries, last_seq: int) -> Entries:
    """The entries with the fields that every event of a run carries, seqs from last_seq + 1."""
    common: Payload = {"run_id": run.id, "epoch": run.epoch}
    if run.session_id is not None:
        common["session_id"] = run.session_id
    return [
        (name, {**payload, "event": name, **common, "seq": last_seq + 1 + i})
        for i, (name, payload) in enumerate(entries)
    ]


# Built once, since every run needs them.
_ANNOUNCED_NOW = (
    update(RunRow)
    .where(RunRow.id == bindparam("of_run"), RunRow.announced_at.is_(None))
    .values(announced_at=DbNow())
    .execution_options(synchronize_session=False)
)
_PROMPT_PLACED = (
    update(MessageRow)
    .where(MessageRow.run_id == bindparam("of_run"))
    .values(turn_no=bindparam("turn"))
    .returning(*MESSAGE_COLUMNS)
)


def fix_end(
    session: Session,
    run: RunRow,
    state: RunState,
    entries: Entries,
    *,
    last_seq: int,
    reason: str | None = None,
    **columns: Any,
) -> None:
    """Write the run's end: its state, and the entries that will be announced as they are."""
    stored = numbered(run, entries, last_seq)
    run.state = state
    run.reason = reason
    run.terminal_entries = [list(entry) for entry in stored]
    run.terminal_seq = last_seq + len(stored)
    run.last_seq = run.terminal_seq
    run.lease_until = None
    run.ended_at = DbNow()
    for name, value in columns.items():
        setattr(run, name, value)
    session.flush()


def end_unstarted(
    session: Session, owner: str, run_id: str, *, reason: str, keep_prompt: bool
) -> bool:
    """End a run that no worker has; False if one has it by now, or it has ended (R19).

    `keep_prompt` gives the prompt its place in the conversation; else it is removed.
    """
    run = session.get(RunRow, run_id)
    if run is None or run.owner != owner:
        return False
    conversation = lock_session(session, run.owner, run.session_id)
    if lock_run(session, run.id) is None or run.state != RunState.QUEUED:
        return False
    if conversation is not None and keep_prompt:
        take_turn(session, run, conversation)
    else:
        session.execute(delete(MessageRow).where(MessageRow.run_id == run.id))
    payload = {"status": "aborted", "reason": reason}
    fix_end(
        session,
        run,
        RunState.ABORTED,
        [("run.cancelled", payload)],
        last_seq=run.last_seq,
        reason=reason,
    )
    return True


def take_turn(session: Session, run: RunRow, conversation: SessionRow) -> Message | None:
    """Give the run and its prompt their place in the conversation, once (R23).

    The prompt as clients see it; None if it had its place already.
    """
    if run.turn_no is not None:
        return None
    run.turn_no = conversation.next_turn
    conversation.next_turn += 1
    placed = {"of_run": run.id, "turn": run.turn_no}
    row = session.connection().execute(_PROMPT_PLACED, placed).first()
    return message(row) if row is not None else None


def announcement(session: Session, run_id: str) -> Announcement | None:
    """What to tell of the run's end; None while it has none."""
    run = session.get(RunRow, run_id)
    return announcement_of(run) if run is not None else None


def announcement_of(run: RunRow) -> Announcement | None:
    """The same for who has the row."""
    if run.terminal_seq is None or run.terminal_entries is None:
        return None
    return Announcement(
        keys=RunKeys(feed_tag(run.owner, run.session_id, run.id), run.id),
        fence=run.fence,
        epoch=run.epoch,
        terminal_seq=run.terminal_seq,
        entries=[(name, payload) for name, payload in run.terminal_entries],
        announced=run.announced_at is not None,
    )


def mark_announced(session: Session, run_id: str) -> None:
    """Remember that clients have been told."""
    session.execute(_ANNOUNCED_NOW, {"of_run": run_id})


def unannounced(session: Session, limit: int) -> list[str]:
    """Ended runs of which clients have not been told, oldest first."""
    rows = session.scalars(
        select(RunRow.id)
        .where(RunRow.announced_at.is_(None), RunRow.terminal_seq.is_not(None))
        .order_by(RunRow.ended_at)
        .limit(limit)
    )
    return list(rows)
