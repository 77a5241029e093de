"""What only the owner of a run may do, by its fence: check, begin a new epoch, give it back."""

from typing import Any, Final

from sqlalchemy import Double, Row, bindparam, select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.constants import constants
from shared.db.locks import RUN, lock_run, lock_session
from shared.db.models import RunRow
from shared.db.runs.claim import Claim
from shared.db.runs.state import move, update_state
from shared.errors import OwnershipLost
from shared.protocol.run_states import LIVE, Move, is_allowed

# The live run with this fence.
MINE: Final = (
    RunRow.id == bindparam("of_run"),
    RunRow.fence == bindparam("of_fence"),
    RunRow.state.in_(constants(LIVE)),
)
_STILL_MINE = select(RunRow.id).where(*MINE)
_PUT_BACK = update_state(
    worker=None,
    lease_until=None,
    last_seq=bindparam("new_seq"),
    not_before=DbNow() + bindparam("delay", type_=Double),
)


def owned(tx: Session, claim: Claim, statement: Any = RUN) -> Row[Any]:
    """Lock the session and the run of the claim, and return the run's row; `statement`: see
    `lock_run`. Raises OwnershipLost if the run has another owner, has ended, or was deleted."""
    lock_session(tx, claim.owner, claim.session_id)
    run = lock_run(tx, claim.run_id, statement)
    if run is None or run.fence != claim.fence or run.state not in LIVE:
        raise OwnershipLost()
    return run


def still_owned(tx: Session, claim: Claim) -> bool:
    """Whether the claim still holds, without a lock; asked before a log is made anew (R15)."""
    mine = {"of_run": claim.run_id, "of_fence": claim.fence}
    return tx.connection().scalar(_STILL_MINE, mine) is not None


def next_epoch(tx: Session, claim: Claim) -> int:
    """Begin a new epoch of the log, because the old one cannot be continued; return it (R17).

    Raises OwnershipLost.
    """
    epoch: int = owned(tx, claim).epoch + 1
    _write(tx, claim, epoch=epoch, last_seq=0)
    return epoch


def put_back(tx: Session, claim: Claim, *, last_seq: int, delay: float) -> bool:
    """Return a run to the queue that the gateway could not take; it stays first in line and waits
    for `delay` seconds (R7).

    False if its stop was requested meanwhile: then the caller has to end it. Raises OwnershipLost.
    """
    run = owned(tx, claim)
    if not is_allowed(Move.PUT_BACK, run.state):
        return False
    move(tx, run, Move.PUT_BACK, _PUT_BACK, new_seq=last_seq, delay=delay)
    return True


def release(tx: Session, claim: Claim, last_seq: int) -> None:
    """Give a live run up for another worker; that does not count as a failure (R22).

    The fence grows, so that a renewal that is under way has no effect. Raises OwnershipLost.
    """
    run = owned(tx, claim)
    _write(
        tx,
        claim,
        fence=run.fence + 1,
        lease_until=0.0,
        last_seq=last_seq,
        takeovers=run.takeovers - 1,
    )


def _write(tx: Session, claim: Claim, **columns: Any) -> None:
    """Update columns other than the state of the locked run."""
    tx.connection().execute(update(RunRow).where(RunRow.id == claim.run_id).values(columns))
