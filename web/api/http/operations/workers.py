"""The workers of the queue's report: their slots as they say them, their leases as rows have them.

Pure. A worker that is only in rows is one of a version that does not report, or a dead one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.db.operations.leases import HeldRun
from shared.event_log.worker_reports import WorkerReport

MOST_WORKERS: Final = 200
MOST_LEASES: Final = 50  # of one worker


def workers_shown(
    held: Sequence[HeldRun], reports: Mapping[str, WorkerReport] | None, now: float
) -> list[dict[str, Any]]:
    """One object per worker, by name. `reports`: None if nobody knows them. `now`: by the clock of
    the database."""
    reports = reports or {}
    names = sorted({*reports, *(one.worker for one in held)})
    return [
        _worker(name, [one for one in held if one.worker == name], reports.get(name), now)
        for name in names[:MOST_WORKERS]
    ]


def slots_of(workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Slots of all; the total is known if each of them has reported its own."""
    totals = [one["slots"] for one in workers]
    known = bool(totals) and None not in totals
    return {
        "in_use": sum(one["live"] for one in workers),
        "total": sum(totals) if known else None,
    }


def _worker(
    name: str, held: Sequence[HeldRun], report: WorkerReport | None, now: float
) -> dict[str, Any]:
    return {
        "worker": name,
        "live": len(held),
        "slots": report.slots if report is not None else None,
        "takeover_slots": report.takeover_slots if report is not None else None,
        "draining": report.draining if report is not None else None,
        "reported": report.age if report is not None else None,
        "leases": [
            {"run_id": one.run_id, "ends_in": _left(one, now)} for one in held[:MOST_LEASES]
        ],
    }


def _left(one: HeldRun, now: float) -> float | None:
    return one.lease_until - now if one.lease_until is not None else None
