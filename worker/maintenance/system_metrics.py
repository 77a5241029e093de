"""Reads the metrics of the whole installation when Prometheus asks, at most every few seconds."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from shared.db.gateway_sessions import PARKED, PENDING
from shared.db.operations.queue_figures import ProfileFigures
from shared.db.operations.system_figures import SystemFigures, system_figures
from shared.errors import Unavailable
from shared.job_ledger import JobLedger, JobRun
from shared.metrics import system as metrics
from shared.metrics.instruments import Labels, Observed
from worker.services import Services

log = logging.getLogger(__name__)

FRESH_FOR: Final = 5.0  # seconds
Values = Mapping[Labels, float]


class SystemMetrics:
    """The values of one moment, read together."""

    def __init__(self, services: Services, jobs: JobLedger) -> None:
        self._services = services
        self._jobs = jobs
        self._lease = services.settings.lease.total_seconds()
        self._read_at = float("-inf")
        self._figures: SystemFigures | None = None
        self._queues: Mapping[str, int] | None = None
        self._runs: list[JobRun] = []

    def install(self) -> None:
        """Have the metrics read from here."""
        self._of_profiles(metrics.WAITING, lambda one, _: one.waiting)
        self._of_profiles(metrics.LIVE, lambda one, _: one.live)
        self._of_profiles(metrics.OLDEST_WAITING, lambda one, now: _age(one.oldest_waiting, now))
        self._of_profiles(metrics.OLDEST_LIVE, lambda one, now: _age(one.oldest_live, now))
        self._of_all(metrics.WORKERS, lambda found: found.queue.workers)
        self._of_all(metrics.LEASE_AGE, lambda found: _lease_age(found, self._lease))
        self._of_all(metrics.LAPSED, lambda found: found.lapsed)
        self._of_all(metrics.UNANNOUNCED, lambda found: found.unannounced)
        self._of_all(metrics.ORPHANS, lambda found: found.orphans)
        metrics.DELETIONS.read_from(self._deletions)
        metrics.READ.read_from(self._sources)
        metrics.QUEUE.read_from(lambda: {(name,): n for name, n in self._broker().items()})
        self._of_jobs(metrics.JOB_RAN, lambda run: run.ended_at)
        self._of_jobs(metrics.JOB_OK, lambda run: float(run.ok))
        self._of_jobs(metrics.JOB_SECONDS, lambda run: run.seconds)
        self._of_jobs(metrics.JOB_NEXT, lambda run: run.next_at)

    def _of_profiles(
        self, metric: Observed, value: Callable[[ProfileFigures, float], float]
    ) -> None:
        def read() -> Values:
            found = self._database()
            if found is None:
                return {}
            return {(one.profile,): value(one, found.queue.now) for one in self._profiles(found)}

        metric.read_from(read)

    def _of_all(self, metric: Observed, value: Callable[[SystemFigures], float]) -> None:
        def read() -> Values:
            found = self._database()
            return {} if found is None else {(): value(found)}

        metric.read_from(read)

    def _of_jobs(self, metric: Observed, value: Callable[[JobRun], float]) -> None:
        metric.read_from(lambda: {(run.job,): value(run) for run in self._last_runs()})

    def _profiles(self, found: SystemFigures) -> list[ProfileFigures]:
        """Those without runs, too: a rule cannot be about a series that is not there."""
        idle = {name: ProfileFigures(name) for name in self._services.gateways.names()}
        return [*(idle | {one.profile: one for one in found.queue.profiles}).values()]

    def _deletions(self) -> Values:
        found = self._database()
        if found is None:
            return {}
        return {(status,): found.deletions.get(status, 0) for status in (PENDING, PARKED)}

    def _sources(self) -> Values:
        self._refresh()
        return {
            ("database",): float(self._figures is not None),
            ("broker",): float(self._queues is not None),
        }

    def _database(self) -> SystemFigures | None:
        self._refresh()
        return self._figures

    def _broker(self) -> Mapping[str, int]:
        self._refresh()
        return self._queues or {}

    def _last_runs(self) -> list[JobRun]:
        self._refresh()
        return self._runs

    def _refresh(self) -> None:
        """Read all of it, unless that was done just now."""
        if time.monotonic() - self._read_at < FRESH_FOR:
            return
        try:
            self._figures = self._services.db.read(system_figures)
        except Unavailable as error:
            log.info("metrics.database_unread error=%s", type(error).__name__)
            self._figures = None
        self._queues = self._services.queue.lengths()
        self._runs = self._jobs.read()
        self._read_at = time.monotonic()


def _age(since: float | None, now: float) -> float:
    return max(0.0, now - since) if since is not None else 0.0


def _lease_age(found: SystemFigures, lease: float) -> float:
    return max(0.0, lease - found.shortest_lease) if found.shortest_lease is not None else 0.0
