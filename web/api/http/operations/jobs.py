"""What `GET /api/queue` says of the periodic jobs: their last runs, and when they are due again."""

from typing import Any

from pydantic import BaseModel

from shared.job_ledger import JobLedger


class JobFigures(BaseModel):
    """The last run of a job. `error`: the kind of failure, null if it went well. `result`: what it
    did, by kind. `seconds`: how long it took."""

    job: str
    ended_at: float
    seconds: float
    error: str | None
    result: dict[str, int]
    next_at: float


def job_figures(jobs: JobLedger) -> list[dict[str, Any]]:
    """Return those of all jobs, by name; none while Redis is away."""
    return [
        {
            "job": run.job,
            "ended_at": run.ended_at,
            "seconds": run.seconds,
            "error": run.error,
            "result": run.result,
            "next_at": run.next_at,
        }
        for run in jobs.read()
    ]
