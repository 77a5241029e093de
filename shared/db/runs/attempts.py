"""Attempts: each POST of a run to its gateway, stored before it is sent, and what became of it.

It may be proved absent (the gateway never had it, R2), or turn out to be a double post (R3).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Integer, String, Update, bindparam, case, exists, func, select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import AttemptRow, RunRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import MINE, owned
from shared.db.upserts import Upsert
from shared.errors import OwnershipLost

RESTARTED: Final = "restarted"  # the gateway is another process than the one that was asked
IDLE: Final = "idle"  # the gateway works on nothing


# The session need not be locked, since nothing else of it is touched.
_ATTEMPT = ("run_id", "fence", "ephemeral_id", "profile", "intent_at", "gateway_pid")


def _intended(insert: Any) -> Any:
    """The same owner may write it twice, when it does not know whether the first time counted."""
    attempt, pid = bindparam("attempt", type_=String), bindparam("pid", type_=Integer)
    mine = select(RunRow.id, RunRow.fence, attempt, RunRow.profile, DbNow(), pid).where(*MINE)
    written = insert(AttemptRow).from_select(_ATTEMPT, mine.with_for_update())
    again = {name: written.excluded[name] for name in _ATTEMPT[2:]}
    return written.on_conflict_do_update(
        index_elements=[AttemptRow.run_id, AttemptRow.fence], set_=again
    ).returning(AttemptRow.run_id)


_INTENDED = Upsert(_intended)


def record_intent(tx: Session, claim: Claim, ephemeral_id: str, gateway_pid: int | None) -> None:
    """Store the attempt before the request is sent (R3). Raises OwnershipLost."""
    columns = {"attempt": ephemeral_id, "pid": gateway_pid}
    _must_change_one(tx, _INTENDED.on(tx), claim, columns)


def note_attempt(tx: Session, claim: Claim, ephemeral_id: str, **columns: Any) -> None:
    """Update an attempt of the run, made by this owner or an earlier one: `gateway_run_id`,
    `stream_opened`, `never_sent`. Raises OwnershipLost."""
    names = tuple(sorted(columns))
    if names not in _NOTED:
        _NOTED[names] = _noting(names)
    values = {f"new_{name}": value for name, value in columns.items()}
    _must_change_one(tx, _NOTED[names], claim, {"attempt": ephemeral_id, **values})


def _noting(names: Sequence[str]) -> Update:
    mine = select(RunRow.id).where(*MINE).with_for_update().correlate(None)
    return (
        update(AttemptRow)
        .where(
            AttemptRow.run_id == bindparam("of_run"),
            AttemptRow.ephemeral_id == bindparam("attempt"),
            exists(mine),
        )
        .values({name: bindparam(f"new_{name}") for name in names})
        .returning(AttemptRow.run_id)
    )


_NOTED: dict[tuple[str, ...], Update] = {}  # built once each


def _must_change_one(tx: Session, statement: Any, claim: Claim, values: Mapping[str, Any]) -> None:
    mine = {"of_run": claim.run_id, "of_fence": claim.fence}
    if tx.connection().scalar(statement, {**mine, **values}) is None:
        raise OwnershipLost()


def attempts(tx: Session, run_id: str) -> list[AttemptRow]:
    """Return the attempts of a run, oldest first, except those that were certainly not sent."""
    rows = tx.scalars(
        select(AttemptRow)
        .where(AttemptRow.run_id == run_id, AttemptRow.never_sent.is_(False))
        .order_by(AttemptRow.fence)
    )
    return list(rows)


def unanswered(tx: Session, run_id: str) -> list[AttemptRow]:
    """Return the attempts of which it is not known whether the gateway has them, oldest first."""
    rows = tx.scalars(
        select(AttemptRow)
        .where(
            AttemptRow.run_id == run_id,
            AttemptRow.never_sent.is_(False),
            AttemptRow.gateway_run_id.is_(None),
            AttemptRow.proved_absent_at.is_(None),
        )
        .order_by(AttemptRow.fence)
    )
    return list(rows)


def note_absent(tx: Session, claim: Claim, fences: Sequence[int], proof: str) -> None:
    """Note that the gateway never had these attempts. `proof` is one of the names above.

    Raises OwnershipLost.
    """
    owned(tx, claim)
    tx.execute(
        update(AttemptRow)
        .where(AttemptRow.run_id == claim.run_id, AttemptRow.fence.in_(fences))
        .values(proved_absent_at=DbNow(), proof=proof)
    )


def repeats(tx: Session, run_id: str) -> tuple[int, float]:
    """Return how often the run was proved absent, and the seconds that all proofs took."""
    taken = AttemptRow.proved_absent_at - AttemptRow.intent_at  # negative if the clock was set back
    proved = select(
        func.count(),
        func.coalesce(func.sum(case((taken > 0, taken), else_=0.0)), 0.0),
    ).where(AttemptRow.run_id == run_id, AttemptRow.proved_absent_at.is_not(None))
    count, seconds = tx.execute(proved).one()
    return int(count), float(seconds or 0.0)


def note_double_post(tx: Session, run_id: str, ephemeral_id: str) -> bool:
    """Note an attempt that the gateway had beside another one; False if it was noted before.

    The fence is not checked: the attempt belongs to an earlier owner.
    """
    counted = tx.execute(
        update(AttemptRow)
        .where(
            AttemptRow.run_id == run_id,
            AttemptRow.ephemeral_id == ephemeral_id,
            AttemptRow.double_post.is_(False),
        )
        .values(double_post=True)
        .returning(AttemptRow.run_id)
    )
    return counted.first() is not None


def was_proved_absent(tx: Session, run_id: str, ephemeral_id: str) -> bool:
    """Whether the run was posted again because the gateway did not seem to have this attempt."""
    found = tx.scalar(
        select(AttemptRow.fence).where(
            AttemptRow.run_id == run_id,
            AttemptRow.ephemeral_id == ephemeral_id,
            AttemptRow.proved_absent_at.is_not(None),
        )
    )
    return found is not None
