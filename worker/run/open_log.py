"""Takes a claimed run's log into this worker's hands, in the order of R14."""

import logging

from shared.db.runs.claim import Claim
from shared.db.runs.ownership import next_epoch
from shared.errors import OwnershipLost
from shared.event_log.store import Status
from worker.event_log.run_log import RunLog
from worker.lease.keeper import Lease
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)


def open_turn(services: Services, claim: Claim, asked_at: float) -> Turn:
    """Install the log for this fence, read it, begin to renew the lease.

    `asked_at`: monotonic time before the claim was sent, from which its lease is counted. Raises
    UnknownProfile, LostRun if a newer owner was faster, RedisAway or DatabaseAway.
    """
    gateway = services.gateways.client(claim.profile)
    run_log = _open_log(services, claim)
    turn = Turn(claim, run_log, _lease(services, claim, run_log, asked_at), gateway)
    turn.lease.on_stop = turn.ask_stop
    turn.lease.on_lost = turn.lose
    run_log.on_lost = turn.lose
    if claim.stop_requested:
        turn.ask_stop()
    services.turns[claim.run_id] = turn
    services.publisher.open(run_log)
    services.leases.hold(turn.lease)
    return turn


def _open_log(services: Services, claim: Claim) -> RunLog:
    """The log goes on where it stood; if it cannot, it begins a new epoch (R17)."""
    fresh = claim.fence == 1
    epoch = claim.epoch
    answer = services.event_log.install(
        claim.keys, fence=claim.fence, epoch=epoch, min_head=claim.last_seq, create=fresh
    )
    if answer.status is Status.GONE:
        epoch = services.db.write(lambda tx: next_epoch(tx, claim))
        log.warning("log.new_epoch run_id=%s epoch=%s", claim.run_id, epoch)
        answer = services.event_log.install(
            claim.keys, fence=claim.fence, epoch=epoch, min_head=0, create=True
        )
    if answer.status is not Status.OK:
        raise OwnershipLost()
    run_log = RunLog(
        claim.keys,
        fence=claim.fence,
        epoch=epoch,
        head=answer.head,
        session_id=claim.session_id,
    )
    run_log.broke_off = epoch != claim.epoch
    _restore(services, claim, run_log)
    return run_log


def _restore(services: Services, claim: Claim, run_log: RunLog) -> None:
    if run_log.head == 0:
        return
    view = services.event_log.read([(claim.keys, 0)])[0]
    if view is None or view.head != run_log.head:
        raise OwnershipLost()
    run_log.restore(view.checkpoint, view.base, view.entries)


def _lease(services: Services, claim: Claim, run_log: RunLog, asked_at: float) -> Lease:
    return Lease(
        run_id=claim.run_id,
        fence=claim.fence,
        until=asked_at + services.settings.lease.total_seconds(),
        last_seq=lambda: run_log.head,
        on_stop=lambda: None,
        on_lost=lambda: None,
    )
