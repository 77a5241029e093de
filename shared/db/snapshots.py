"""Stored summaries of older turns, and what a session counts with them (R23, P22)."""

from dataclasses import dataclass

from sqlalchemy import bindparam, case, delete, func, select, update
from sqlalchemy.orm import Session

from shared.compression_plan import Snapshot
from shared.db.claims import Claim, owned
from shared.db.clock import DbNow, read_clock
from shared.db.models import MessageRow, SnapshotRow

ROLES = ("user", "assistant", "tool")


@dataclass(frozen=True)
class Stored:
    """A session's snapshot. `version` is what a later write compares itself with."""

    snapshot: Snapshot
    version: int


def load(session: Session, owner: str, session_id: str) -> Stored | None:
    """The session's snapshot, if it has one."""
    row = session.execute(
        select(
            SnapshotRow.summary,
            SnapshotRow.last_turn_no,
            SnapshotRow.content_hash,
            SnapshotRow.version,
        ).where(SnapshotRow.owner == owner, SnapshotRow.session_id == session_id)
    ).one_or_none()
    if row is None:
        return None
    return Stored(Snapshot(row.summary, row.last_turn_no, row.content_hash), row.version)


def store(
    session: Session,
    claim: Claim,
    snapshot: Snapshot,
    *,
    replaces: int | None,
    tokens: int,
    covered: int,
) -> bool:
    """Put the snapshot in the place of version `replaces` (None: of none); False if another is
    there by now. `tokens`: of the summary as it is sent. Raises LostRun."""
    owned(session, claim)
    assert claim.session_id is not None
    values = {
        "summary": snapshot.summary,
        "summary_tokens": tokens,
        "last_turn_no": snapshot.turn_no,
        "covered_count": covered,
        "content_hash": snapshot.content_hash,
    }
    here = (SnapshotRow.owner == claim.owner, SnapshotRow.session_id == claim.session_id)
    if replaces is None:
        if session.scalar(select(SnapshotRow.version).where(*here)) is not None:
            return False
        session.add(
            SnapshotRow(
                owner=claim.owner,
                session_id=claim.session_id,
                updated_at=read_clock(session),
                **values,
            )
        )
        return True
    changed = session.execute(
        update(SnapshotRow)
        .where(*here, SnapshotRow.version == replaces)
        .values(version=replaces + 1, updated_at=DbNow(), **values)
        .returning(SnapshotRow.version)
    )
    return changed.first() is not None


def drop(session: Session, claim: Claim, version: int) -> None:
    """Remove a snapshot whose turns no longer say what they said. Raises LostRun."""
    owned(session, claim)
    session.execute(
        delete(SnapshotRow).where(
            SnapshotRow.owner == claim.owner,
            SnapshotRow.session_id == claim.session_id,
            SnapshotRow.version == version,
        )
    )


_COVERING = (
    delete(SnapshotRow)
    .where(
        SnapshotRow.owner == bindparam("owner"),
        SnapshotRow.session_id == bindparam("session_id"),
        SnapshotRow.last_turn_no >= bindparam("turn"),
    )
    .execution_options(synchronize_session=False)
)


def drop_covering(session: Session, owner: str, session_id: str, turn_no: int) -> None:
    """Remove the snapshot if it covers that turn, whose messages are being replaced (R23).

    The caller holds the session's lock.
    """
    session.execute(_COVERING, {"owner": owner, "session_id": session_id, "turn": turn_no})


_REACH = select(SnapshotRow.summary_tokens, SnapshotRow.last_turn_no).where(
    SnapshotRow.owner == bindparam("owner"), SnapshotRow.session_id == bindparam("session_id")
)
_COUNT = func.coalesce(MessageRow.token_count, 0)
_COUNTED = select(
    func.coalesce(func.sum(_COUNT), 0),
    func.coalesce(func.sum(case((MessageRow.role == "assistant", _COUNT), else_=0)), 0),
).where(
    MessageRow.owner == bindparam("owner"),
    MessageRow.session_id == bindparam("session_id"),
    MessageRow.turn_no > bindparam("reach"),
    MessageRow.role.in_(ROLES),
)


def context_tokens(session: Session, owner: str, session_id: str) -> tuple[int, int]:
    """Input and output tokens of a session, both from its snapshot on (P22).

    Input is the summary and all messages whose turn has come; output is the answers again.
    """
    of = {"owner": owner, "session_id": session_id}
    found = session.execute(_REACH, of).one_or_none()
    summary, reach = (found.summary_tokens, found.last_turn_no) if found else (0, -1)
    row = session.execute(_COUNTED, {**of, "reach": reach}).one()
    return summary + int(row[0]), int(row[1])
