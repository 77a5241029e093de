"""All routes of the HTTP API, and its description at `/openapi.json` and `/docs`."""

import functools
from collections.abc import Sequence
from typing import Any

import orjson
from flask import Flask, Response

from shared import runtime
from shared.hermes.profiles import Profiles
from web.api.http import run_models as models
from web.api.http.docs_page.serve import add_docs_page
from web.api.http.gateway.profile_paths import below_profiles
from web.api.http.gateway.routes import with_gateway_routes
from web.api.http.live_run import LiveRuns
from web.api.http.openai.completions import Completions
from web.api.http.openai.following import Following
from web.api.http.openai.responses import Responses
from web.api.http.openai.routes import openai_routes
from web.api.http.openapi import document
from web.api.http.operations.routes import operation_routes
from web.api.http.parts import Parts
from web.api.http.routes import BODY, Header, Result, Route, add_routes
from web.api.http.run_events import POSITION_HEADER, RunEvents
from web.api.http.runs import KEY_HEADER, SESSION_HEADER, Runs
from web.api.http.sessions.build import build_session_handlers
from web.api.http.sessions.routes import session_routes
from web.api.request_auth import RequestAuth
from web.readers.opening import Opening
from web.sockets.rate_limit import OwnerLimits


def run_routes(runs: Runs) -> list[Route]:
    """Those of `/v1/runs`, without the events."""
    return [
        Route(
            "POST",
            "/v1/runs",
            runs.start,
            "Start a run.",
            Result(
                202,
                "The run is stored, and starts when it is its turn.",
                models.StartedRun,
                ids={"run_id": "/run_id"},
            ),
            body=models.RunBody,
            query=models.ProfileQuery,
            headers=[
                Header(KEY_HEADER, "The same key and body again give the first answer again."),
                Header(SESSION_HEADER, "The session, if the body names none."),
            ],
            refusals=[*BODY, 409, 429],
            starts_run=True,
        ),
        Route(
            "GET",
            "/v1/runs",
            runs.list,
            "The runs of this user, the newest first.",
            Result(
                200,
                "A page of them.",
                models.RunList,
                ids={"run_id": "/data/0/run_id", "session_id": "/data/0/session_id"},
            ),
            query=models.ListQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/v1/runs/{run_id}",
            runs.show,
            "How a run is doing.",
            Result(200, "The run.", models.Run),
            refusals=[404],
        ),
        Route(
            "POST",
            "/v1/runs/{run_id}/stop",
            runs.stop,
            "Stop a run.",
            Result(200, "It stops; its end is an event.", models.StoppedRun),
            refusals=[404],
        ),
        Route(
            "POST",
            "/v1/runs/{run_id}/approval",
            runs.approve,
            "Answer the question of a run's agent.",
            Result(200, "The answer is stored, and goes to the agent.", models.AnsweredApproval),
            body=models.ApprovalBody,
            refusals=[*BODY, 404, 409],
        ),
    ]


def event_routes(events: RunEvents) -> list[Route]:
    """The events of a run."""
    return [
        Route(
            "GET",
            "/v1/runs/{run_id}/events",
            events.stream,
            "The events of a run: those so far, or after a position, and then live ones.",
            Result(
                200,
                "Server-sent events, until the run has ended.",
                nothing_more="The run has ended, and `Last-Event-ID` is its last event.",
            ),
            query=models.EventsQuery,
            headers=[Header(POSITION_HEADER, "The `id` of the last event that was received.")],
            refusals=[400, 404, 410, 429],
        ),
    ]


def build_routes(parts: Parts) -> list[Route]:
    """All rows, with their handlers."""
    db, requests, readers, membership = (
        parts.db,
        parts.requests,
        parts.readers,
        parts.membership,
    )
    opening = Opening(
        db=db,
        event_log=parts.event_log,
        relay=parts.relay,
        membership=membership,
        sessions=parts.sessions,
    )
    runs = Runs(db, requests, parts.approvals, LiveRuns(db, parts.event_log))
    following = Following(opening, readers, membership)
    completions = Completions(db, requests, following)
    return with_gateway_routes(
        [
            *run_routes(runs),
            *event_routes(RunEvents(runs, opening, readers, membership)),
            *session_routes(build_session_handlers(parts, opening)),
            *openai_routes(completions, Responses(db, requests, following)),
            *operation_routes(parts),
        ],
        profiles=parts.profiles,
        health=parts.health,
        needs_token=not parts.settings.auth_disabled,
        cors=bool(parts.settings.cors_origins),
    )


def add_api(
    app: Flask,
    auth: RequestAuth,
    limits: OwnerLimits,
    routes: Sequence[Route],
    profiles: Profiles,
    version: str,
) -> None:
    """Serve the routes, also below `/p/{profile}`, and their description, which is made when it is
    asked for first: most processes are never asked."""

    @functools.cache
    def described() -> dict[str, Any]:
        return document(routes, version)

    @functools.cache
    def description() -> bytes:
        return orjson.dumps(described())

    def openapi() -> Response:
        return Response(runtime.offload(description), mimetype="application/json")

    add_routes(app, auth, limits, [*routes, *below_profiles(routes, profiles)])
    add_docs_page(app, described)
    app.add_url_rule("/openapi.json", view_func=openapi)
