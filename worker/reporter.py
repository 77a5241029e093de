"""Reports, every few seconds, how many slots the process has and how far its runs are."""

import contextlib
import logging

from shared.errors import RedisUnavailable
from shared.event_log.worker_reports import EVERY, Progress, WorkerReport, WorkerReports
from shared.protocol.timeline import first_token_at
from shared.service import Service, periodic
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)


class Reporter:
    """Start with `start`. A report that Redis does not take is left out."""

    def __init__(self, services: Services, reports: WorkerReports) -> None:
        self._services = services
        self._reports = reports
        self._service: Service = periodic("worker-report", self.report, EVERY)

    def start(self) -> None:
        """Report now, and from now on."""
        self.report()
        self._service.start()

    def stop(self) -> None:
        """Report no more, and be in no list any longer."""
        self._service.stop()
        with contextlib.suppress(RedisUnavailable):
            self._reports.remove(self._services.name)

    def report(self) -> None:
        """Write the report."""
        services, settings = self._services, self._services.settings
        report = WorkerReport(
            slots=settings.worker_concurrency,
            takeover_slots=settings.takeover_slots,
            draining=services.draining,
            runs={run_id: _progress(turn) for run_id, turn in list(services.turns.items())},
        )
        try:
            self._reports.write(services.name, report)
        except RedisUnavailable:
            log.debug("worker.not_reported")


def _progress(turn: Turn) -> Progress:
    state = turn.run_log.timeline.to_state()
    return Progress(first_token_at(state), turn.run_log.position().characters)
