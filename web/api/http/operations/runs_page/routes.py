"""The rows of these routes in the table."""

from web.api.http.operations.answers import RunFigures
from web.api.http.operations.progress import LiveProgress
from web.api.http.operations.runs_page import answers
from web.api.http.operations.runs_page.counts import Counts
from web.api.http.operations.runs_page.log_of_run import LogOfRun
from web.api.http.operations.runs_page.one_run import OneRun
from web.api.http.operations.runs_page.queries import CountsQuery, LogQuery, StatsQuery
from web.api.http.operations.runs_page.stats import Stats
from web.api.http.parts import Parts
from web.api.http.routes import Result, Route


def runs_page_routes(parts: Parts, progress: LiveProgress) -> list[Route]:
    """All rows."""
    one = OneRun(parts.db, parts.requests, progress)
    return [
        Route(
            "GET",
            "/api/runs/counts",
            Counts(parts.db).show,
            "How many runs each filter of the list would show; for operators of all users.",
            Result(200, "The counts.", answers.RunCountsReport),
            query=CountsQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/api/runs/stats",
            Stats(parts.db).show,
            "How runs went over an hour, a day or a week; for operators of all users.",
            Result(200, "The figures of each bucket of time.", answers.RunStatsReport),
            query=StatsQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/api/runs/{run_id}",
            one.show,
            "One run without its contents; for operators of all users.",
            Result(200, "The run.", RunFigures),
            refusals=[404],
        ),
        Route(
            "GET",
            "/api/runs/{run_id}/log",
            LogOfRun(parts.db, parts.event_log).show,
            "Which events a run's log has, and when; their contents only for the owner.",
            Result(200, "A page of events, the oldest first.", answers.RunLogPage),
            query=LogQuery,
            refusals=[400, 404],
        ),
        Route(
            "POST",
            "/api/runs/{run_id}/stop",
            one.stop,
            "Stop a run of anybody; for administrators.",
            Result(200, "It stops; its end is an event.", answers.StoppedByAdmin),
            refusals=[404],
        ),
    ]
