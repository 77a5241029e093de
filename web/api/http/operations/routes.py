"""The rows of operations in the table of routes."""

from dataclasses import dataclass

from shared.db.database import Database
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from web.api.http.operations import answers
from web.api.http.operations.deletions import Deletions
from web.api.http.operations.me import Me, Myself
from web.api.http.operations.queries import (
    DeletionsBody,
    DeletionsQuery,
    RunsQuery,
    UsageQuery,
)
from web.api.http.operations.queue import Queue
from web.api.http.operations.runs_of_all import RunsOfAll
from web.api.http.operations.timeline import Timelines
from web.api.http.operations.timeline_answers import RunTimeline
from web.api.http.operations.usage import Usage
from web.api.http.routes import Result, Route
from web.api.run_requests import RunRequests
from web.sockets.connections import Connections
from web.sockets.rate_limit import OwnerLimits


@dataclass(frozen=True)
class Needs:
    """What the handlers need of a web process."""

    db: Database
    event_log: EventLog
    profiles: Profiles
    settings: Settings
    requests: RunRequests
    limits: OwnerLimits
    connections: Connections


def operation_routes(needs: Needs) -> list[Route]:
    """All rows."""
    return [*_figures(needs), *_runs(needs), *_deletions(needs)]


def _figures(needs: Needs) -> list[Route]:
    return [
        Route(
            "GET",
            "/api/me",
            Myself(needs.db, needs.settings, needs.limits, needs.connections).show,
            "Who this is, what they may do, and how much of their limits is used.",
            Result(200, "The user of the token.", Me),
        ),
        Route(
            "GET",
            "/api/usage",
            Usage(needs.db).show,
            "Tokens and costs of runs, summed.",
            Result(200, "The sums.", answers.UsageReport),
            query=UsageQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/api/queue",
            Queue(needs.db, needs.profiles).show,
            "What waits and what is live; for operators of all users.",
            Result(200, "The queue.", answers.QueueReport),
        ),
    ]


def _runs(needs: Needs) -> list[Route]:
    runs = RunsOfAll(needs.db, needs.requests)
    return [
        Route(
            "GET",
            "/api/runs",
            runs.list,
            "Runs without their contents, the newest first; for operators of all users.",
            Result(200, "A page of them.", answers.RunPage),
            query=RunsQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/api/runs/{run_id}/timeline",
            Timelines(needs.db, needs.event_log).show,
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
                202, "The new run is stored; sent again it is the same one.", answers.RetriedRun
            ),
            refusals=[400, 404, 409, 413],
            starts_run=True,
        ),
    ]


def _deletions(needs: Needs) -> list[Route]:
    deletions = Deletions(needs.db)
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
