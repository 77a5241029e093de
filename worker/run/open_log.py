"""Opens a claimed run in this process: its log, its lease, its Turn (R14, R17).

Problem: an earlier owner may still be writing, and what clients saw of the run is what its log
says. Idea: installing the log under the new fence shuts earlier owners out; only then is the log
read, up to the head that the installation returned. Invariant: this owner goes on at exactly that
head, so no seq stands for two contents; where the log is gone, a new epoch begins instead.
"""

import logging
import time

from shared.db.runs.claim import Claim
from shared.db.runs.ownership import next_epoch
from shared.errors import OwnershipLost
from shared.event_log.store import Status
from worker.event_log.run_log import RunLog
from worker.lease.keeper import Lease
from worker.services import Services
from worker.turn import Turn, TurnSignals

log = logging.getLogger(__name__)


def open_turn(services: Services, claim: Claim, claimed_at: float) -> Turn:
    """Install and read the log, and have the lease renewed from now on.

    `claimed_at`: monotonic time before the claim was sent, from which its lease is counted. Raises
    UnknownProfile, OwnershipLost if a newer owner was faster, RedisUnavailable,
    DatabaseUnavailable.
    """
    gateway = services.gateways.client(claim.profile)
    signals = TurnSignals()
    run_log = _open_log(services, claim, signals)
    lease = Lease(
        run_id=claim.run_id,
        fence=claim.fence,
        until=claimed_at + services.settings.lease.total_seconds(),
        last_seq=lambda: run_log.head,
        on_stop=signals.request_stop,
        on_lost=run_log.lose,
    )
    turn = Turn(claim, run_log, lease, gateway, signals)
    if claim.stop_requested:
        turn.request_stop()
    services.turns[claim.run_id] = turn
    services.publisher.open(run_log)
    services.leases.hold(lease)
    return turn


def close_turn(services: Services, turn: Turn) -> None:
    """Let go of everything that `open_turn` took; what was not written stays unwritten."""
    turn.lose()
    services.publisher.close(turn.run_log)
    services.leases.release(turn.lease)
    if services.turns.get(turn.run_id) is turn:
        del services.turns[turn.run_id]


def _open_log(services: Services, claim: Claim, signals: TurnSignals) -> RunLog:
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
        on_pending=services.publisher.of(claim.keys).mark_pending,
        on_lost=signals.note_lost,
    )
    run_log.broke_off = epoch != claim.epoch
    _restore(services, claim, run_log)
    if not fresh:
        run_log.timeline.claimed(claim.fence, taken_over=claim.lapsed, now=time.time())
    return run_log


def _restore(services: Services, claim: Claim, run_log: RunLog) -> None:
    """Read what the earlier owners wrote. Raises OwnershipLost if a newer one writes already."""
    if run_log.head == 0:
        return
    view = services.event_log.read([(claim.keys, 0)])[0]
    if view is None or view.head != run_log.head:
        raise OwnershipLost()
    run_log.restore(view.checkpoint, view.base, view.entries)
