"""Where waiting runs are in the queue, and how long that may take: hints for people who wait."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import RunRow
from shared.db.runs.not_done import not_done_in
from shared.db.runs.queue.claim_next import due_profiles, first_due
from shared.protocol.run_states import LIVE

SHOWN: Final = 500  # places of each profile; whoever is behind them is told later


@dataclass(frozen=True)
class Place:
    """`position`: 1 for the next one. `estimate`: seconds until it starts, about; None if nothing
    is live, from which it could be guessed."""

    position: int
    estimate: float | None

    def fields(self) -> dict[str, Any]:
        """As clients see it."""
        shown: dict[str, Any] = {"position": self.position}
        return shown if self.estimate is None else {**shown, "estimate": self.estimate}


def places(tx: Session, most: int = SHOWN) -> dict[str, Place]:
    """The places of the first `most` due runs of each profile, by run id.

    Runs that are live have had half of their time on average, and as many end in that time as are
    live: from that follows how long one place takes.
    """
    profiles = due_profiles()
    names = tx.scalars(select(profiles.c.name).where(profiles.c.name.is_not(None))).all()
    pace = _pace(tx) if names else {}
    return {
        run_id: Place(position, _estimate(position, pace.get(name)))
        for name in names
        for position, run_id in enumerate(tx.scalars(first_due(literal(name)).limit(most)), start=1)
    }


def _pace(tx: Session) -> dict[str, float]:
    """Seconds from one start to the next, by profile."""
    age = DbNow() - func.coalesce(RunRow.first_claimed_at, RunRow.created_at)
    live: Counter[str] = Counter()
    ages: dict[str, float] = defaultdict(float)  # of all that are live together
    for state in sorted(LIVE):
        columns = (RunRow.profile, func.count().label("live"), func.sum(age).label("age"))
        mine = select(*columns).where(*not_done_in(state)).group_by(RunRow.profile)
        for row in tx.execute(mine):
            live[row.profile] += row.live
            ages[row.profile] += row.age
    return {name: 2 * max(0.0, ages[name]) / count**2 for name, count in live.items()}


def _estimate(position: int, pace: float | None) -> float | None:
    return None if pace is None else float(round(position * pace))
