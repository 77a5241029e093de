"""How far live runs are, as their workers report it; and which workers there are."""

from collections.abc import Iterable, Mapping

from shared.db.operations.runs_of_all import RunFacts
from shared.errors import RedisUnavailable
from shared.event_log.worker_reports import Progress, WorkerReport, WorkerReports
from shared.protocol.run_states import LIVE


class LiveProgress:
    """Reads the reports of workers."""

    def __init__(self, reports: WorkerReports) -> None:
        self._reports = reports

    def reports(self) -> dict[str, WorkerReport] | None:
        """Worker -> its report; None if Redis does not answer."""
        try:
            return self._reports.read()
        except RedisUnavailable:
            return None

    def of(self, runs: Iterable[RunFacts]) -> Mapping[str, Progress]:
        """Run id -> how far it is, of those that are live. A worker that lost a run may report it
        until it notices, so only the report of the run's own worker counts."""
        live = [run for run in runs if run.state in LIVE and run.worker is not None]
        reports = (self.reports() or {}) if live else {}
        found = {}
        for run in live:
            report = reports.get(str(run.worker))
            if report is not None and run.id in report.runs:
                found[run.id] = report.runs[run.id]
        return found
