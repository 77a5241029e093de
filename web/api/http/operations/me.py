"""`GET /api/me`: who the request is of, what they may do, and how much of their limits is used."""

import math
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel

from shared.db.database import Database
from shared.db.operations.queue_figures import queue_figures
from shared.roles import Role
from shared.settings import Settings
from web.api.http.routes import Answer, Call
from web.api.request_body import MAX_BYTES
from web.sockets.connections import Connections
from web.sockets.rate_limit import OwnerLimits, RateLimit


class RequestRate(BaseModel):
    """Requests that may be sent to this process: `limit` at once, `remaining` now, all again in
    `reset` seconds; `per_second` on average."""

    limit: int
    remaining: int
    reset: int
    per_second: float


class OpenConnections(BaseModel):
    """Sockets and event streams at this process."""

    limit: int
    used: int


class OpenRuns(BaseModel):
    """Runs that wait, and that are live, in all sessions."""

    waiting: int
    live: int


class Limits(BaseModel):
    """`requests`: all, by sockets and over HTTP. `starts`: those over HTTP that start runs.
    `requests_per_socket`: a second. Sizes in bytes."""

    requests: RequestRate
    starts: RequestRate
    connections: OpenConnections
    requests_per_socket: int
    sessions_per_socket: int
    queue_per_session: int
    session_bytes: int
    body_bytes: int
    frame_bytes: int


class Me(BaseModel):
    """The answer. `expires_at`: when the token or cookie ends, in epoch seconds; null: it has no
    end of its own."""

    object: Literal["user"]
    owner: str
    role: Role
    roles: list[Role]
    expires_at: float | None
    runs: OpenRuns
    limits: Limits


class Myself:
    """The route."""

    def __init__(
        self, db: Database, settings: Settings, limits: OwnerLimits, connections: Connections
    ) -> None:
        self._db = db
        self._settings = settings
        self._limits = limits
        self._connections = connections

    def show(self, call: Call) -> Answer | Response:
        """`GET /api/me`."""
        principal, owner = call.principal, call.owner
        figures = self._db.read(lambda tx: queue_figures(tx, owner))
        return Answer(
            {
                "object": "user",
                "owner": owner,
                "role": principal.role,
                "roles": [role for role in Role if principal.role.includes(role)],
                "expires_at": principal.credential.until,
                "runs": {
                    "waiting": sum(one.waiting for one in figures.profiles),
                    "live": sum(one.live for one in figures.profiles),
                },
                "limits": self._limits_of(owner),
            }
        )

    def _limits_of(self, owner: str) -> dict[str, Any]:
        settings = self._settings
        return {
            "requests": _rate(self._limits.requests, owner),
            "starts": _rate(self._limits.starts, owner),
            "connections": {
                "limit": settings.sockets_per_owner,
                "used": self._connections.of_owner(owner),
            },
            "requests_per_socket": settings.requests_per_second,
            "sessions_per_socket": settings.sessions_per_socket,
            "queue_per_session": settings.queue_cap,
            "session_bytes": settings.session_max_bytes,
            "body_bytes": MAX_BYTES,
            "frame_bytes": settings.frame_max_bytes,
        }


def _rate(limit: RateLimit, owner: str) -> dict[str, Any]:
    budget = limit.budget(owner)
    return {
        "limit": budget.limit,
        "remaining": budget.remaining,
        "reset": math.ceil(budget.reset),
        "per_second": limit.per_second,
    }
