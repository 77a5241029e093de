"""What became of POSTs that were not answered: proved absent (R2), or one too many (R3)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.db.claims import Claim, owned
from shared.db.clock import DbNow
from shared.db.models import AttemptRow

RESTARTED: Final = "restarted"  # the gateway is another process than the one that was asked
IDLE: Final = "idle"  # the gateway works on nothing


def unanswered(session: Session, run_id: str) -> list[AttemptRow]:
    """Attempts of which nobody knows whether the gateway has them, oldest first."""
    rows = session.scalars(
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


def note_absent(session: Session, claim: Claim, fences: Sequence[int], proof: str) -> None:
    """The gateway never had these attempts. `proof` is one of the names above. Raises LostRun."""
    owned(session, claim)
    session.execute(
        update(AttemptRow)
        .where(AttemptRow.run_id == claim.run_id, AttemptRow.fence.in_(fences))
        .values(proved_absent_at=DbNow(), proof=proof)
    )


def repeats(session: Session, run_id: str) -> tuple[int, float]:
    """How often the run was proved absent, and the seconds that the proofs took together."""
    proved = select(
        func.count(),
        func.coalesce(func.sum(AttemptRow.proved_absent_at - AttemptRow.intent_at), 0.0),
    ).where(AttemptRow.run_id == run_id, AttemptRow.proved_absent_at.is_not(None))
    count, seconds = session.execute(proved).one()
    return int(count), float(seconds or 0.0)


def note_double_post(session: Session, run_id: str, ephemeral_id: str) -> bool:
    """Count an attempt that the gateway had beside another; False if it was counted before.

    It is written whoever owns the run now: the attempt belongs to an owner before.
    """
    counted = session.execute(
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


def was_proved_absent(session: Session, run_id: str, ephemeral_id: str) -> bool:
    """Whether the run was posted again because the gateway did not seem to have this attempt."""
    found = session.scalar(
        select(AttemptRow.fence).where(
            AttemptRow.run_id == run_id,
            AttemptRow.ephemeral_id == ephemeral_id,
            AttemptRow.proved_absent_at.is_not(None),
        )
    )
    return found is not None
