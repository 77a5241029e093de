"""Connects the metrics of a worker process with the objects that know their values."""

from collections import Counter
from collections.abc import Mapping

from shared.metrics import worker as metrics
from worker.services import Services


def measure_worker(services: Services) -> None:
    """Have the metrics read the services of a worker of runs from now on."""
    settings = services.settings
    metrics.LIVE.value_from(lambda: len(services.turns))
    metrics.SLOTS.read_from(
        lambda: {
            ("start",): settings.worker_concurrency,
            ("takeover",): settings.takeover_slots,
        }
    )
    metrics.DRAINING.value_from(lambda: float(services.draining))
    metrics.LEASE_REMAINING.read_from(lambda: _shortest_lease(services))
    metrics.APPROVALS.read_from(lambda: _open_approvals(services))
    metrics.PENDING_LOGS.value_from(
        lambda: sum(publisher.pending for publisher in services.publisher.shards)
    )


def _shortest_lease(services: Services) -> Mapping[tuple[str, ...], float]:
    left = [lease.remaining() for lease in services.leases.held()]
    return {(): min(left)} if left else {}


def _open_approvals(services: Services) -> Mapping[tuple[str, ...], float]:
    found: Counter[tuple[str, ...]] = Counter()
    for turn in list(services.turns.values()):
        found[(turn.claim.profile,)] += len(turn.run_log.state_events.open_approvals())
    return found
