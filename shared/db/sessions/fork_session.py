"""Copying a session, or its beginning, into a new one of the same owner.

The copy has messages of its own, without runs: what happens to the runs of the session that was
copied, a late transcript or its deletion, does not reach it. Turns keep their numbers. A summary is
copied if the copy has all that it covers (R23). What the runs cost is not counted twice.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, func, insert, literal, null, or_, select, update
from sqlalchemy.orm import Session

from shared.conversation.titles import clean_title
from shared.db.clock import read_clock
from shared.db.constants import constant, constants
from shared.db.locks import lock_session
from shared.db.models import MessageRow, MessageTermsRow, RunRow, SessionRow, SnapshotRow
from shared.db.sessions.edit_session import create_session
from shared.db.sessions.session_info import Info, get
from shared.db.sessions.stored_bytes import sum_of
from shared.db.sessions.summaries import ROLES
from shared.db.sessions.titles import title_of_copy
from shared.db.sessions.totals import sum_up
from shared.errors import NotFound
from shared.protocol.run_states import OPEN

INDEXED_AT_ONCE: Final = 500  # messages; a longer copy is made searchable in the background

_COPIED: Final = tuple(
    column.name
    for column in MessageRow.__table__.columns
    if column.name not in {"id", "session_id", "run_id", "indexed_by"}
)


def fork_session(
    tx: Session,
    owner: str,
    session_id: str,
    new_id: str,
    *,
    up_to: int | None = None,
    title: str | None = None,
) -> Info:
    """Copy the session up to the message with the id `up_to`, or all of it, as the session
    `new_id`.

    Prompts that wait and the turn of a live run are not copied. `title`: of the copy; without one
    it is that of the session, with a number. Raises NotFound, also for a message that is not of
    this session, SessionExists, InvalidPayload, InvalidTitle.
    """
    source = lock_session(tx, owner, session_id)
    if source is None:
        raise NotFound("There is no such session.")
    wanted = _wanted(owner, session_id, _last(tx, owner, session_id, up_to))
    given = clean_title(title)
    create_session(
        tx,
        owner,
        new_id,
        profile=source.profile,
        title=given or title_of_copy(tx, owner, source.title),
    )
    _copy_messages(tx, owner, new_id, wanted)
    _copy_summary(tx, owner, session_id, new_id)
    _complete(tx, source, new_id)
    return get(tx, owner, new_id)


def _last(tx: Session, owner: str, session_id: str, up_to: int | None) -> Any:
    """The place of the message `up_to`, None for all."""
    if up_to is None:
        return None
    row: Any = tx.execute(
        select(MessageRow.turn_no, MessageRow.idx, MessageRow.id).where(
            MessageRow.id == up_to,
            MessageRow.owner == owner,
            MessageRow.session_id == session_id,
            MessageRow.turn_no.is_not(None),
        )
    ).first()
    if row is None:
        raise NotFound("The session has no such message.")
    return row


def _wanted(owner: str, session_id: str, last: Row[Any] | None) -> ColumnElement[bool]:
    """Which messages are copied."""
    unfinished = select(RunRow.id).where(
        RunRow.owner == owner, RunRow.session_id == session_id, RunRow.state.in_(constants(OPEN))
    )
    conditions = [
        MessageRow.owner == owner,
        MessageRow.session_id == session_id,
        MessageRow.turn_no.is_not(None),
        or_(MessageRow.run_id.is_(None), MessageRow.run_id.not_in(unfinished)),
    ]
    if last is not None:
        in_turn = or_(
            MessageRow.idx < last.idx, and_(MessageRow.idx == last.idx, MessageRow.id <= last.id)
        )
        before = MessageRow.turn_no < last.turn_no
        conditions.append(or_(before, and_(MessageRow.turn_no == last.turn_no, in_turn)))
    return and_(*conditions)


def _copy_messages(tx: Session, owner: str, new_id: str, wanted: ColumnElement[bool]) -> None:
    count = tx.scalar(select(func.count()).select_from(MessageRow).where(wanted)) or 0
    is_short = count <= INDEXED_AT_ONCE
    columns = [getattr(MessageRow, name) for name in _COPIED]
    marked = MessageRow.indexed_by if is_short else null()
    rows = select(*columns, literal(new_id), marked).where(wanted)
    ordered = rows.order_by(MessageRow.turn_no, MessageRow.idx, MessageRow.id)
    names = [*_COPIED, "session_id", "indexed_by"]
    tx.execute(insert(MessageRow).from_select(names, ordered))
    if is_short:
        _copy_terms(tx, owner, new_id, wanted)


def _copy_terms(tx: Session, owner: str, new_id: str, wanted: ColumnElement[bool]) -> None:
    """The terms of the copies, which are those of the messages that were copied."""
    place = (MessageRow.turn_no, MessageRow.idx)
    first = select(func.min(MessageRow.id).label("id"), *place).group_by(*place)
    old = first.where(wanted).subquery()
    new = first.where(MessageRow.owner == owner, MessageRow.session_id == new_id).subquery()
    same = and_(new.c.turn_no == old.c.turn_no, new.c.idx == old.c.idx)
    values = (new.c.id, literal(owner), literal(new_id), MessageTermsRow.terms)
    rows = (
        select(*values)
        .select_from(old)
        .join(new, same)
        .join(MessageTermsRow, MessageTermsRow.message_id == old.c.id)
    )
    names = ["message_id", "owner", "session_id", "terms"]
    tx.execute(insert(MessageTermsRow).from_select(names, rows))


def _copy_summary(tx: Session, owner: str, session_id: str, new_id: str) -> None:
    """Copy the summary, if the copy has as many messages in the turns that it covers."""
    stored = tx.get(SnapshotRow, (owner, session_id))
    if stored is None:
        return
    covered = tx.scalar(
        select(func.count())
        .select_from(MessageRow)
        .where(
            MessageRow.owner == owner,
            MessageRow.session_id == new_id,
            MessageRow.role.in_(constants(ROLES)),
            MessageRow.turn_no <= stored.last_turn_no,
        )
    )
    if covered == stored.covered_count:
        values = {column.name: getattr(stored, column.name) for column in stored.__table__.columns}
        tx.add(SnapshotRow(**{**values, "session_id": new_id, "version": 1}))
        tx.flush()


def _complete(tx: Session, source: Row[Any], new_id: str) -> None:
    """The counts of the copy, and what it has from the session that was copied."""
    owner = source.owner
    here = (MessageRow.owner == owner, MessageRow.session_id == new_id)
    last_turn = tx.scalar(select(func.max(MessageRow.turn_no)).where(*here)) or 0
    answer = tx.scalar(
        select(func.substr(MessageRow.content, 1, 400))
        .where(*here, MessageRow.role == constant("assistant"), MessageRow.content != "")
        .order_by(MessageRow.turn_no.desc(), MessageRow.idx.desc())
        .limit(1)
    )
    preview = " ".join((answer or "").split())[:100]
    now = read_clock(tx)
    sum_up(tx, owner, new_id, preview=preview, now=now, added=sum_of(tx, owner, new_id))
    tx.execute(
        update(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == new_id)
        .values(
            next_turn=last_turn + 1,
            parent_session_id=source.id,
            model=source.model,
            workspace=source.workspace,
        )
    )
