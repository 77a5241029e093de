"""What is counted of the whole installation for its metrics, beside its queue."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.constants import constants
from shared.db.models import DeletionRow, OrphanRow, RunRow
from shared.db.operations.queue_figures import QueueFigures, queue_figures
from shared.protocol.run_states import LIVE


@dataclass(frozen=True)
class SystemFigures:
    """`shortest_lease`: seconds that are left of the live run's lease that ends first, negative if
    it is over; None without a live run. `deletions`: status -> how many."""

    queue: QueueFigures
    shortest_lease: float | None
    lapsed: int
    unannounced: int
    orphans: int
    deletions: dict[str, int]


def system_figures(tx: Session) -> SystemFigures:
    """Count, with queries that read open rows only, and the deletions that wait."""
    now = read_clock(tx)
    not_done = RunRow.announced_at.is_(None)
    live = (RunRow.state.in_(constants(LIVE)), not_done)
    first, lapsed = tx.execute(
        select(func.min(RunRow.lease_until), func.count().filter(RunRow.lease_until < now)).where(
            *live
        )
    ).one()
    unannounced = select(func.count()).where(not_done, RunRow.terminal_seq.is_not(None))
    orphans = select(func.count()).where(OrphanRow.done_at.is_(None))
    deletions = select(DeletionRow.status, func.count().label("waiting")).group_by(
        DeletionRow.status
    )
    return SystemFigures(
        queue=queue_figures(tx, None),
        shortest_lease=first - now if first is not None else None,
        lapsed=lapsed,
        unannounced=tx.scalar(unannounced) or 0,
        orphans=tx.scalar(orphans) or 0,
        deletions={row.status: row.waiting for row in tx.execute(deletions)},
    )
