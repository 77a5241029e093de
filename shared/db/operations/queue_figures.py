"""How many runs wait and are live, by profile, and how many deletions are parked."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.constants import constant
from shared.db.gateway_sessions import PARKED
from shared.db.models import DeletionRow, RunRow
from shared.db.operations.runs_of_all import are_open
from shared.protocol.run_states import RunState


@dataclass(frozen=True)
class ProfileFigures:
    """The open runs of a profile. Times are epoch seconds, None without such a run."""

    profile: str
    waiting: int = 0
    live: int = 0
    oldest_waiting: float | None = None
    oldest_live: float | None = None


@dataclass(frozen=True)
class QueueFigures:
    """`now`: on the clock of the database. `workers`: how many have a live run."""

    now: float
    profiles: list[ProfileFigures]
    workers: int


@dataclass(frozen=True)
class ParkedFigures:
    """Deletions that were given up; `oldest`: since when the one is that was given up first."""

    count: int
    oldest: float | None


def queue_figures(tx: Session, owner: str | None) -> QueueFigures:
    """Count the open runs of the owner, or of all owners."""
    mine = are_open() + ([] if owner is None else [RunRow.owner == owner])
    queued = RunRow.state == constant(RunState.QUEUED)
    rows = tx.execute(
        select(
            RunRow.profile,
            func.count().filter(queued).label("waiting"),
            func.count().filter(~queued).label("live"),
            func.min(RunRow.created_at).filter(queued).label("oldest_waiting"),
            func.min(RunRow.first_claimed_at).filter(~queued).label("oldest_live"),
        )
        .where(*mine)
        .group_by(RunRow.profile)
        .order_by(RunRow.profile)
    )
    figures = [ProfileFigures(**row._mapping) for row in rows]
    workers = tx.scalar(select(func.count(RunRow.worker.distinct())).where(*mine, ~queued)) or 0
    return QueueFigures(read_clock(tx), figures, workers)


def parked_figures(tx: Session) -> ParkedFigures:
    """Count the parked deletions."""
    row = tx.execute(
        select(func.count(), func.min(DeletionRow.updated_at)).where(DeletionRow.status == PARKED)
    ).one()
    return ParkedFigures(*row)
