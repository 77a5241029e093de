"""What the owner of a run may do with it, as long as it is his: check, begin anew, give back."""

from typing import Any, Final

from sqlalchemy import Double, Row, bindparam, select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.locks import RUN, lock_run, lock_session
from shared.db.models import RunRow
from shared.db.runs.claim import Claim
from shared.db.runs.state import move, update_state
from shared.errors import OwnershipLost
from shared.protocol.run_states import LIVE, Move, RunState

# A worker's own run.
MINE: Final = (
    RunRow.id == bindparam("of_run"),
    RunRow.fence == bindparam("of_fence"),
    RunRow.state.in_([*LIVE]),
)
_STILL_MINE = select(RunRow.id).where(*MINE)
_PUT_BACK = update_state(
    worker=None,
    lease_until=None,
    last_seq=bindparam("new_seq"),
    not_before=DbNow() + bindparam("delay", type_=Double),
)


def owned(tx: Session, claim: Claim, statement: Any = RUN) -> Row[Any]:
    """The run's row, locked after its session, if the claim still stands. Raises LostRun.

    `statement`: see `lock_run`.
    """
    lock_session(tx, claim.owner, claim.session_id)
    run = lock_run(tx, claim.run_id, statement)
    if run is None or run.fence != claim.fence or run.state not in LIVE:
        raise OwnershipLost()
    return run


def still_owned(tx: Session, claim: Claim) -> bool:
    """Whether the claim still stands, without a lock: asked before a log is made anew (R15)."""
    mine = {"of_run": claim.run_id, "of_fence": claim.fence}
    return tx.connection().scalar(_STILL_MINE, mine) is not None


def next_epoch(tx: Session, claim: Claim) -> int:
    """Begin a new life of the run's log, because the old one cannot be continued (R17)."""
    epoch: int = owned(tx, claim).epoch + 1
    _write(tx, claim, epoch=epoch, last_seq=0)
    return epoch


def put_back(tx: Session, claim: Claim, *, last_seq: int, delay: float) -> bool:
    """Return a run that the gateway could not take; it keeps its place and waits `delay` s (R7).

    False if somebody asked to stop it meanwhile: then it is to be ended. Raises LostRun.
    """
    run = owned(tx, claim)
    if run.state == RunState.STOPPING:
        return False
    move(tx, run, Move.PUT_BACK, _PUT_BACK, new_seq=last_seq, delay=delay)
    return True


def release(tx: Session, claim: Claim, last_seq: int) -> None:
    """Give a live run away; that counts as no failure (R22). Raises LostRun.

    The fence moves on, so that a renewal that was under way does not take it back.
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
    """Into the run's row, which is locked."""
    tx.connection().execute(update(RunRow).where(RunRow.id == claim.run_id).values(columns))
