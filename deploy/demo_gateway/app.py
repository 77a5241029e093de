"""Builds the web application: routes, the key, the faults that hit any request."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from deploy.demo_gateway import poison, replies
from deploy.demo_gateway.faults import Kind
from deploy.demo_gateway.gateway import GATEWAY, Gateway
from deploy.demo_gateway.routes import demo, events, info, runs, sessions

MAX_BODY = 10_000_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# `None`: no fault hits these.
_ROUTES: list[tuple[str, str, Handler, Kind | None]] = [
    ("GET", "/health/detailed", info.health_detailed, "health"),
    ("GET", "/v1/capabilities", info.capabilities, "capabilities"),
    ("GET", "/v1/models", info.models, "models"),
    ("GET", "/v1/skills", info.skills, None),
    ("GET", "/v1/toolsets", info.toolsets, None),
    ("POST", "/v1/runs", runs.post_run, None),  # takes its faults itself
    ("GET", "/v1/runs/{run_id}", runs.get_run, "status"),
    ("GET", "/v1/runs/{run_id}/events", events.stream_events, "events"),
    ("POST", "/v1/runs/{run_id}/stop", runs.stop_run, "stop"),
    ("POST", "/v1/runs/{run_id}/approval", runs.answer_approval, "approval"),
    ("GET", "/api/sessions", sessions.list_sessions, "sessions"),
    ("GET", "/api/sessions/{session_id}", sessions.get_session, "sessions"),
    ("DELETE", "/api/sessions/{session_id}", sessions.delete_session, "sessions"),
    ("GET", "/api/sessions/{session_id}/messages", sessions.get_messages, "sessions"),
    ("GET", "/demo/faults", demo.list_faults, None),
    ("POST", "/demo/faults", demo.add_fault, None),
    ("DELETE", "/demo/faults", demo.clear_faults, None),
    ("GET", "/demo/record", demo.get_record, None),
    ("GET", "/demo/record/{session_id}", demo.get_record, None),
]


def build_app(gateway: Gateway) -> web.Application:
    """The application of one gateway."""
    app = web.Application(client_max_size=MAX_BODY)
    app[GATEWAY] = gateway
    app.router.add_get("/health", info.health)
    for method, path, handler, kind in _ROUTES:
        if kind == "sessions" and gateway.options.no_sessions:
            continue
        app.router.add_route(method, path, _guarded(handler, kind))
    return app


def _guarded(handler: Handler, kind: Kind | None) -> Handler:
    """The handler behind the key and the faults of its kind."""

    async def handle(request: web.Request) -> web.StreamResponse:
        gateway = request.app[GATEWAY]
        if not _has_key(request, gateway.options.api_key):
            return replies.error(401, "Invalid API key", code="invalid_api_key")
        fault = gateway.faults.take(kind) if kind is not None else None
        if fault is not None and kind is not None:
            await asyncio.sleep(fault.latency_ms / 1000)
            status = fault.error_for(kind)
            if status is not None:
                return replies.error(status, "fault on demand", kind="server_error")
            if fault.sessions_poison:
                return web.Response(body=poison.transcript(), content_type="application/json")
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return replies.error(413, "Request body too large.", code="body_too_large")

    return handle


def _has_key(request: web.Request, key: str) -> bool:
    if not key:
        return True
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    # Bytes: comparing strings that are not ASCII is an error.
    return kind == "Bearer" and hmac.compare_digest(token.strip().encode(), key.encode())
