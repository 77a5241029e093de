"""The rows of operations in the table of routes."""

from shared.event_log.worker_reports import WorkerReports
from shared.job_ledger import JobLedger
from web.api.http.operations import answers
from web.api.http.operations.deletions import Deletions
from web.api.http.operations.me import Me, Myself
from web.api.http.operations.progress import LiveProgress
from web.api.http.operations.queries import (
    DeletionsBody,
    DeletionsQuery,
    RunsQuery,
    UsageQuery,
)
from web.api.http.operations.queue import Queue
from web.api.http.operations.runs_of_all import RunsOfAll
from web.api.http.operations.runs_page.routes import runs_page_routes
from web.api.http.operations.timeline import Timelines
from web.api.http.operations.timeline_answers import RunTimeline
from web.api.http.operations.usage import Usage
from web.api.http.parts import Parts
from web.api.http.routes import Result, Route


def operation_routes(parts: Parts) -> list[Route]:
    """All rows."""
    progress = LiveProgress(WorkerReports(parts.commands))
    return [
        *_figures(parts, progress),
        *_runs(parts, progress),
        *runs_page_routes(parts, progress),
        *_deletions(parts),
    ]


def _figures(parts: Parts, progress: LiveProgress) -> list[Route]:
    return [
        Route(
            "GET",
            "/api/me",
            Myself(parts.db, parts.settings, parts.limits, parts.connections).show,
            "Who this is, what they may do, and how much of their limits is used.",
            Result(200, "The user of the token.", Me),
        ),
        Route(
            "GET",
            "/api/usage",
            Usage(parts.db).show,
            "Tokens and costs of runs, summed.",
            Result(200, "The sums.", answers.UsageReport),
            query=UsageQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/api/queue",
            Queue(
                parts.db,
                parts.profiles,
                JobLedger(parts.commands),
                progress,
                parts.settings.flower_url,
            ).show,
            "What waits and what is live; for operators of all users.",
            Result(200, "The queue.", answers.QueueReport),
        ),
    ]


def _runs(parts: Parts, progress: LiveProgress) -> list[Route]:
    runs = RunsOfAll(parts.db, parts.requests, progress)
    return [
        Route(
            "GET",
            "/api/runs",
            runs.list,
            "Runs without their contents, the newest first; for operators of all users.",
            Result(200, "A page of them.", answers.RunPage, ids={"run_id": "/data/0/run_id"}),
            query=RunsQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/api/runs/{run_id}/timeline",
            Timelines(parts.db, parts.event_log).show,
            "When a run did what, also long after its end.",
            Result(200, "The timeline.", RunTimeline),
            refusals=[404],
        ),
        Route(
            "POST",
            "/api/runs/{run_id}/retry",
            runs.retry,
            "Start a failed run again, as a new one; for administrators.",
            Result(
                202,
                "The new run is stored; sent again it is the same one.",
                answers.RetriedRun,
                ids={"run_id": "/run_id"},
            ),
            refusals=[400, 404, 409, 413],
            starts_run=True,
        ),
    ]


def _deletions(parts: Parts) -> list[Route]:
    deletions = Deletions(parts.db)
    return [
        Route(
            "GET",
            "/api/deletions",
            deletions.list,
            "Sessions at gateways that could not be deleted; for administrators.",
            Result(200, "A page of them, the latest first.", answers.DeletionPage),
            query=DeletionsQuery,
            refusals=[400],
        ),
        Route(
            "POST",
            "/api/deletions/retry",
            deletions.retry,
            "Try parked deletions again; for administrators.",
            Result(200, "They are due now.", answers.RetriedDeletions),
            body=DeletionsBody,
            refusals=[400, 413, 415],
        ),
    ]
