"""Live runs whose owner is dead: what the reaper hands over (R13, R18).

Problem: owners die without a word. Nothing in Redis says so. Idea: the rows do. A live run whose
lease is over has lapsed, and the reaper sends one message for each. `enqueued_at` is the time of
the last message; it is set by compare-and-set, in the transaction that finds the run, so two
reapers at once send one message, and a message that gets lost is followed by another after some
seconds. Times in the future are of a clock that was set back, and count as over.
Invariant: each lapsed run is found within two intervals of the reaper and the pause. A message too
many is harmless, since `claim` decides.
"""

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, is_past
from shared.db.constants import constants
from shared.db.models import RunRow
from shared.db.runs.not_done import not_done_in
from shared.protocol.run_states import LIVE

_IS_LIVE = RunRow.state.in_(constants(LIVE))
_LAPSED = RunRow.lease_until < DbNow()


def ping(tx: Session) -> None:
    """Return if the database answers; raise if it does not."""
    tx.execute(text("SELECT 1"))


def lapsed_runs(tx: Session, seconds: float, limit: int) -> list[str]:
    """Return live runs whose lease has lapsed and for which no message was sent since, or for
    `seconds`; of each state the longest first.

    Each is marked as enqueued now: one message per lapse, and another one if that was lost.
    """
    found: list[str] = []
    for state in sorted(LIVE):
        query = select(RunRow.id).where(*not_done_in(state), _LAPSED, _not_sent(seconds))
        found += tx.scalars(query.order_by(RunRow.lease_until).limit(limit - len(found)))
    return [run_id for run_id in found if _mark_lapsed(tx, run_id, seconds)]


def _not_sent(seconds: float) -> ColumnElement[bool]:
    sent = RunRow.enqueued_at
    return sent.is_(None) | (sent < RunRow.lease_until) | is_past(sent, seconds)


def _mark_lapsed(tx: Session, run_id: str, seconds: float) -> bool:
    marked = tx.execute(
        update(RunRow)
        .where(RunRow.id == run_id, _IS_LIVE, _LAPSED, _not_sent(seconds))
        .values(enqueued_at=DbNow())
        .returning(RunRow.id)
    )
    return marked.first() is not None


def leases_beyond(tx: Session, seconds: float, limit: int) -> list[tuple[str, int, float]]:
    """Return (run id, fence, lease) of live runs whose lease ends later than in `seconds`: no owner
    takes one so long, so it was taken before the clock was set back."""
    found: list[tuple[str, int, float]] = []
    for state in sorted(LIVE):
        rows = tx.execute(
            select(RunRow.id, RunRow.fence, RunRow.lease_until)
            .where(*not_done_in(state), RunRow.lease_until > DbNow() + seconds)
            .order_by(RunRow.lease_until.desc())
            .limit(limit - len(found))
        )
        found += [(row.id, row.fence, row.lease_until) for row in rows]
    return found


def end_lease(tx: Session, run_id: str, fence: int, until: float) -> bool:
    """Let a lease that was found so lapse; False if it was renewed, or the run changed hands."""
    ended = tx.execute(
        update(RunRow)
        .where(
            RunRow.id == run_id,
            RunRow.fence == fence,
            RunRow.lease_until == until,
            _IS_LIVE,
        )
        .values(lease_until=DbNow() - 1.0)
        .returning(RunRow.id)
    )
    return ended.first() is not None
