"""Stored summaries of older turns, and the tokens of a session that has one (R23, P22)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    String,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from shared.conversation.compression_plan import Snapshot
from shared.db.clock import DbNow, read_clock
from shared.db.constants import constant, constants
from shared.db.models import MessageRow, SnapshotRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned

ROLES = ("user", "assistant", "tool")


@dataclass(frozen=True)
class Stored:
    """The snapshot of a session. `version`: to be given when it is replaced or dropped."""

    snapshot: Snapshot
    version: int
    covered: int  # messages


_STORED = select(
    SnapshotRow.summary,
    SnapshotRow.last_turn_no,
    SnapshotRow.content_hash,
    SnapshotRow.version,
    SnapshotRow.covered_count,
).where(SnapshotRow.owner == bindparam("owner"), SnapshotRow.session_id == bindparam("session_id"))


def load(tx: Session, owner: str, session_id: str) -> Stored | None:
    """Return the snapshot of the session, if it has one."""
    here = {"owner": owner, "session_id": session_id}
    row = tx.connection().execute(_STORED, here).one_or_none()
    if row is None:
        return None
    snapshot = Snapshot(row.summary, row.last_turn_no, row.content_hash)
    return Stored(snapshot, row.version, row.covered_count)


def covers(tx: Session, claim: Claim, stored: Stored) -> bool:
    """Whether the turns that the snapshot covers still have as many messages. Who changes a turn
    drops the snapshot (`drop_covering`); this notices what was added beside them."""
    count = tx.scalar(
        select(func.count())
        .select_from(MessageRow)
        .where(
            MessageRow.owner == claim.owner,
            MessageRow.session_id == claim.session_id,
            MessageRow.role.in_(constants(ROLES)),
            MessageRow.turn_no <= stored.snapshot.turn_no,
        )
    )
    return count == stored.covered


def store(
    tx: Session,
    claim: Claim,
    snapshot: Snapshot,
    *,
    replaces: int | None,
    tokens: int,
    covered: int,
    turns: Sequence[Mapping[str, Any]] = (),
) -> bool:
    """Store the snapshot in place of version `replaces` (None: there was none); False if there is
    another one by now, or the messages `turns`, which were summarized, are not the same any more.
    `tokens`: of the summary as it is sent. Raises OwnershipLost."""
    owned(tx, claim)
    assert claim.session_id is not None
    if turns and not _are_the_same(tx, claim, snapshot, turns):
        return False
    values = {
        "summary": snapshot.summary,
        "summary_tokens": tokens,
        "last_turn_no": snapshot.turn_no,
        "covered_count": covered,
        "content_hash": snapshot.content_hash,
    }
    here = (SnapshotRow.owner == claim.owner, SnapshotRow.session_id == claim.session_id)
    if replaces is None:
        if tx.scalar(select(SnapshotRow.version).where(*here)) is not None:
            return False
        tx.add(
            SnapshotRow(
                owner=claim.owner,
                session_id=claim.session_id,
                updated_at=read_clock(tx),
                **values,
            )
        )
        return True
    changed = tx.execute(
        update(SnapshotRow)
        .where(*here, SnapshotRow.version == replaces)
        .values(version=replaces + 1, updated_at=DbNow(), **values)
        .returning(SnapshotRow.version)
    )
    return changed.first() is not None


def _are_the_same(
    tx: Session, claim: Claim, snapshot: Snapshot, turns: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the turns still consist of these rows; who changes a turn makes new ones."""
    found = tx.scalars(
        select(MessageRow.id).where(
            MessageRow.owner == claim.owner,
            MessageRow.session_id == claim.session_id,
            MessageRow.role.in_(constants(ROLES)),
            MessageRow.turn_no.between(turns[0]["turn_no"], snapshot.turn_no),
        )
    )
    return set(found) == {row["id"] for row in turns}


def drop(tx: Session, claim: Claim, version: int) -> None:
    """Remove a snapshot whose turns have changed. Raises OwnershipLost."""
    owned(tx, claim)
    tx.execute(
        delete(SnapshotRow).where(
            SnapshotRow.owner == claim.owner,
            SnapshotRow.session_id == claim.session_id,
            SnapshotRow.version == version,
        )
    )


_COVERING = delete(SnapshotRow).where(
    SnapshotRow.owner == bindparam("owner"),
    SnapshotRow.session_id == bindparam("session_id"),
    SnapshotRow.last_turn_no >= bindparam("turn"),
)


def drop_covering(tx: Session, owner: str, session_id: str, turn_no: int) -> None:
    """Remove the snapshot if it covers this turn, whose messages are being replaced (R23).

    The caller has locked the session.
    """
    here = {"owner": owner, "session_id": session_id}
    tx.connection().execute(_COVERING, {**here, "turn": turn_no})


_COUNT = func.coalesce(MessageRow.token_count, 0)
_ANSWERS = case((MessageRow.role == constant("assistant"), _COUNT), else_=0)


def context_sums(
    owner: BindParameter[str], session_id: BindParameter[str]
) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the input and output tokens of a session as expressions; see `context_tokens`."""
    mine = (SnapshotRow.owner == owner, SnapshotRow.session_id == session_id)
    summary = select(SnapshotRow.summary_tokens).where(*mine).scalar_subquery()
    covered = select(SnapshotRow.last_turn_no).where(*mine).scalar_subquery()
    sent = (
        MessageRow.owner == owner,
        MessageRow.session_id == session_id,
        MessageRow.turn_no > func.coalesce(covered, -1),
        MessageRow.role.in_(constants(ROLES)),
    )
    counted = select(func.sum(_COUNT)).where(*sent).scalar_subquery()
    answers = select(func.sum(_ANSWERS)).where(*sent).scalar_subquery()
    return func.coalesce(summary, 0) + func.coalesce(counted, 0), func.coalesce(answers, 0)


_TOKENS = select(
    *context_sums(bindparam("of_owner", type_=String), bindparam("of_session", type_=String))
)


def context_tokens(tx: Session, owner: str, session_id: str) -> tuple[int, int]:
    """Return the input and output tokens of a session, both from its snapshot on (P22).

    Input is the summary and all messages of turns that have begun; output is the answers among
    them.
    """
    here = {"of_owner": owner, "of_session": session_id}
    row = tx.connection().execute(_TOKENS, here).one()
    return int(row[0]), int(row[1])
