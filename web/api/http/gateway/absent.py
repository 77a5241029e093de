"""What the gateway does and Holdfast does not: scheduled jobs, and callbacks of platforms."""

from typing import Final, NoReturn

from web.api.http.errors import ApiError
from web.api.http.openapi import ErrorBody
from web.api.http.routes import Call, Handler, Result, Route

JOBS: Final = "Jobs are scheduled by the gateway; ask it directly."
CALLBACKS: Final = "Platforms call the gateway; name its own address to them."
STATUS: Final = 501
CODE: Final = "not_supported"

#: Method, path, reason; whether the caller cannot have a token of ours.
ABSENT: Final = (
    ("GET", "/api/jobs", JOBS, False),
    ("POST", "/api/jobs", JOBS, False),
    ("GET", "/api/jobs/{job_id}", JOBS, False),
    ("PATCH", "/api/jobs/{job_id}", JOBS, False),
    ("DELETE", "/api/jobs/{job_id}", JOBS, False),
    ("POST", "/api/jobs/{job_id}/pause", JOBS, False),
    ("POST", "/api/jobs/{job_id}/resume", JOBS, False),
    ("POST", "/api/jobs/{job_id}/run", JOBS, False),
    ("POST", "/api/cron/fire", CALLBACKS, True),
    ("POST", "/api/platforms/{platform}/events", CALLBACKS, True),
)


def absent_routes() -> list[Route]:
    """Rows that answer 501, so that clients learn why, and not that a path is wrong."""
    return [
        Route(
            method,
            path,
            _refusing(reason),
            reason,
            Result(STATUS, "Holdfast does not do this.", ErrorBody),
            public=public,
        )
        for method, path, reason, public in ABSENT
    ]


def _refusing(reason: str) -> Handler:
    def refuse(call: Call) -> NoReturn:
        raise ApiError(STATUS, CODE, reason)

    return refuse
