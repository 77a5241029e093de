"""Which worker has which live runs, and until when."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.constants import constants
from shared.db.models import RunRow
from shared.db.operations.runs_of_all import are_open
from shared.protocol.run_states import LIVE

MOST_LEASES = 1000


@dataclass(frozen=True)
class HeldRun:
    """A live run of a worker. `lease_until`: epoch seconds by the clock of the database; in the
    past if the worker did not renew it, and no other has taken it yet."""

    worker: str
    run_id: str
    lease_until: float | None


def held_runs(tx: Session) -> list[HeldRun]:
    """Return the live runs of all workers, the lease that ends first at the front; at most
    `MOST_LEASES`."""
    rows = tx.execute(
        select(RunRow.worker, RunRow.id, RunRow.lease_until)
        .where(*are_open(), RunRow.state.in_(constants(LIVE)), RunRow.worker.is_not(None))
        .order_by(RunRow.lease_until, RunRow.id)
        .limit(MOST_LEASES)
    )
    return [HeldRun(str(worker), run_id, until) for worker, run_id, until in rows]
