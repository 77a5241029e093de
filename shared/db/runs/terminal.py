"""The end of a run in the database, and whether clients know it (R19, R20).

Problem: a process may die between writing the end of a run and announcing it, and several may want
to announce it at once; yet every client must see exactly one end, the same one, with the same seq.
Idea: the transaction that ends a run also stores the last entries of its log as they will be
published, with their seqs (`terminal_entries`, `terminal_seq`). From then on announcing is copying:
any process may do it, any number of times (`shared/run_end.py`, `announce.lua`). Afterwards
`announced_at` is set, and the session's next run becomes due (`queue/fair_order.py`); until then
the reaper finds the run.
Invariant: `terminal_entries` is written once, by an allowed move to a final state under the locks
of session and run, and not changed afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Double, Integer, Row, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.locks import lock_run, lock_session_of
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.runs.not_done import not_done_in
from shared.db.runs.queue.fair_order import make_next_due
from shared.db.runs.session_queue import next_queued
from shared.db.runs.state import move, update_state
from shared.db.sessions.message_json import MESSAGE_COLUMNS, Message, message
from shared.db.sessions.stored_bytes import change, size_of_run
from shared.event_log.keys import RunKeys, feed_tag
from shared.protocol.events import RUN_CANCELLED, Payload
from shared.protocol.run_states import ENDED, Move, is_allowed
from shared.protocol.timeline import first_token_at

Entries = list[tuple[str, Payload]]

AT_ONCE = 500  # run ids in one query


@dataclass(frozen=True)
class Announcement:
    """The stored end of a run: `entries`, of which the last has the seq `terminal_seq`. `session`:
    owner and id of its session, if a run may be due there once the end is announced."""

    keys: RunKeys
    fence: int
    epoch: int
    terminal_seq: int
    entries: Entries
    announced: bool
    session: tuple[str, str] | None = None


@dataclass(frozen=True)
class BegunTurn:
    """The turn of a run. `prompt`: as clients see it, if the turn began just now.
    `prompt_tokens`: None if they were not counted."""

    turn_no: int | None
    prompt: Message | None = None
    prompt_tokens: int | None = None


def numbered(run: Row[Any] | RunRow, entries: Entries, last_seq: int) -> Entries:
    """Add the fields that every event of a run has; the seqs count from `last_seq` + 1."""
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
)
_END = select(
    RunRow.id,
    RunRow.owner,
    RunRow.session_id,
    RunRow.fence,
    RunRow.epoch,
    RunRow.terminal_seq,
    RunRow.terminal_entries,
    RunRow.announced_at,
    next_queued().label("following"),
).where(RunRow.id == bindparam("of_run"), RunRow.terminal_seq.is_not(None))
_ENDED_NOW = update_state(
    reason=bindparam("new_reason"),
    turn_no=func.coalesce(RunRow.turn_no, bindparam("turn", type_=Integer)),
    terminal_entries=bindparam("entries", type_=JSON),
    terminal_seq=bindparam("seq"),
    last_seq=bindparam("seq"),
    lease_until=None,
    ended_at=DbNow(),
    output=bindparam("new_output"),
    usage=bindparam("new_usage", type_=JSON(none_as_null=True)),
    gateway_synced=bindparam("synced"),
    timeline=bindparam("steps", type_=JSON(none_as_null=True)),
    first_token_at=bindparam("first_token", type_=Double),
)
_NEXT_TURN = (
    update(SessionRow)
    .where(SessionRow.owner == bindparam("of_owner"), SessionRow.id == bindparam("of_session"))
    .values(next_turn=bindparam("turn", type_=Integer) + 1)
)
_PROMPT_IN_TURN = (
    update(MessageRow)
    .where(MessageRow.run_id == bindparam("of_run"))
    .values(turn_no=bindparam("turn"))
    .returning(*MESSAGE_COLUMNS, MessageRow.token_count)
)


def fix_end(
    tx: Session,
    run: Row[Any] | RunRow,
    verb: Move,
    entries: Entries,
    *,
    last_seq: int,
    reason: str | None = None,
    turn_no: int | None = None,
    output: str | None = None,
    usage: dict[str, Any] | None = None,
    synced: bool = False,
    timeline: dict[str, Any] | None = None,
    has_following: bool = False,
) -> Announcement:
    """End the locked run by `verb`: write its final state, and `entries` as they will be announced.

    `last_seq`: of the last entry before these. `turn_no`: of a run whose turn begins only now.
    `timeline`: the steps of a run that was claimed. `has_following`: other runs of its session are
    queued.
    Raises ForbiddenMove if it has ended before.
    """
    stored = numbered(run, entries, last_seq)
    terminal_seq = last_seq + len(stored)
    move(
        tx,
        run,
        verb,
        _ENDED_NOW,
        new_reason=reason,
        turn=turn_no,
        entries=[list(entry) for entry in stored],
        seq=terminal_seq,
        new_output=output,
        new_usage=usage,
        synced=synced,
        steps=timeline,
        first_token=first_token_at(timeline),
    )
    return Announcement(
        keys=RunKeys(feed_tag(run.owner, run.session_id, run.id), run.id),
        fence=run.fence,
        epoch=run.epoch,
        terminal_seq=terminal_seq,
        entries=stored,
        announced=False,
        session=_session_of(run) if has_following else None,
    )


def end_unstarted(tx: Session, owner: str, run_id: str, *, reason: str, keep_prompt: bool) -> bool:
    """Cancel a queued run; False if a worker has it by now, or it has ended (R19).

    `keep_prompt`: the prompt gets its turn in the conversation; else it is removed.
    """
    conversation = lock_session_of(tx, run_id)
    run = lock_run(tx, run_id)
    if run is None or run.owner != owner or not is_allowed(Move.CANCEL, run.state):
        return False
    turn_no = run.turn_no
    if conversation is not None and keep_prompt:
        turn_no = take_turn(tx, run, conversation).turn_no
    else:
        if run.session_id is not None:
            change(tx, owner, run.session_id, -size_of_run(tx, run.id, with_prompt=True))
        tx.connection().execute(delete(MessageRow).where(MessageRow.run_id == run.id))
    fix_end(
        tx,
        run,
        Move.CANCEL,
        [(RUN_CANCELLED, {"status": "aborted", "reason": reason})],
        last_seq=run.last_seq,
        reason=reason,
        turn_no=turn_no,
    )
    return True


def take_turn(tx: Session, run: Row[Any], conversation: Row[Any]) -> BegunTurn:
    """Give the prompt of the run the next turn number of its session, once (R23).

    The caller writes the number into the run's row. Without the prompt if it had a turn before.
    """
    if run.turn_no is not None:
        return BegunTurn(run.turn_no)
    turn: int = conversation.next_turn
    here = {"of_owner": conversation.owner, "of_session": conversation.id}
    tx.connection().execute(_NEXT_TURN, {**here, "turn": turn})
    prompt = {"of_run": run.id, "turn": turn}
    row = tx.connection().execute(_PROMPT_IN_TURN, prompt).first()
    if row is None:
        return BegunTurn(turn)
    return BegunTurn(turn, message(row), row.token_count)


def announcement(tx: Session, run_id: str) -> Announcement | None:
    """Return the stored end of the run; None while it has none."""
    run = tx.connection().execute(_END, {"of_run": run_id}).first()
    if run is None or run.terminal_entries is None:
        return None
    return Announcement(
        keys=RunKeys(feed_tag(run.owner, run.session_id, run.id), run.id),
        fence=run.fence,
        epoch=run.epoch,
        terminal_seq=run.terminal_seq,
        entries=[(name, payload) for name, payload in run.terminal_entries],
        announced=run.announced_at is not None,
        session=_session_of(run) if run.following is not None else None,
    )


def ended_among(tx: Session, run_ids: Sequence[str]) -> list[str]:
    """Return those of these runs that have a stored end, the first to end first."""
    found: list[tuple[float, str]] = []
    for first in range(0, len(run_ids), AT_ONCE):
        some = run_ids[first : first + AT_ONCE]
        query = select(RunRow.ended_at, RunRow.id)
        query = query.where(RunRow.id.in_(some), RunRow.terminal_seq.is_not(None))
        found += [(row.ended_at, row.id) for row in tx.execute(query)]
    return [run_id for _, run_id in sorted(found)]


def _session_of(run: Row[Any] | RunRow) -> tuple[str, str] | None:
    return (run.owner, run.session_id) if run.session_id is not None else None


def mark_announced(tx: Session, run_id: str) -> None:
    """Note that the end of the run was announced."""
    tx.connection().execute(_ANNOUNCED_NOW, {"of_run": run_id})


def mark_announced_before(tx: Session, run_id: str, session: tuple[str, str]) -> None:
    """The same where other runs are queued: the session's next one is due now."""
    mark_announced(tx, run_id)
    make_next_due(tx, *session)


def unannounced(tx: Session, limit: int) -> list[str]:
    """Return ended runs whose ends are not announced, at most `limit`, oldest first."""
    found: list[tuple[float, str]] = []
    for state in sorted(ENDED):
        rows = tx.execute(
            select(RunRow.ended_at, RunRow.id)
            .where(*not_done_in(state), RunRow.terminal_seq.is_not(None))
            .order_by(RunRow.ended_at)
            .limit(limit)
        )
        found += [(row.ended_at, row.id) for row in rows]
    return [run_id for _, run_id in sorted(found)[:limit]]
