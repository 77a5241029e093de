"""The document of `/v1/capabilities`, made from the table of routes that is served. Pure.

A client of the gateway decides by it what to ask for. So it has the gateway's fields, and says of
each what holds here: an endpoint that is not in the table is not in the document, and its feature
is false.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from web.api.http.routes import Route

Endpoint = tuple[str, str]  # method, path

#: Names of endpoints, as the gateway has them, then those that only Holdfast has.
ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "health": ("GET", "/health"),
    "health_detailed": ("GET", "/health/detailed"),
    "models": ("GET", "/v1/models"),
    "chat_completions": ("POST", "/v1/chat/completions"),
    "responses": ("POST", "/v1/responses"),
    "runs": ("POST", "/v1/runs"),
    "run_status": ("GET", "/v1/runs/{run_id}"),
    "run_events": ("GET", "/v1/runs/{run_id}/events"),
    "run_approval": ("POST", "/v1/runs/{run_id}/approval"),
    "run_stop": ("POST", "/v1/runs/{run_id}/stop"),
    "skills": ("GET", "/v1/skills"),
    "toolsets": ("GET", "/v1/toolsets"),
    "sessions": ("GET", "/api/sessions"),
    "session_create": ("POST", "/api/sessions"),
    "session": ("GET", "/api/sessions/{session_id}"),
    "session_update": ("PATCH", "/api/sessions/{session_id}"),
    "session_delete": ("DELETE", "/api/sessions/{session_id}"),
    "session_messages": ("GET", "/api/sessions/{session_id}/messages"),
    "session_fork": ("POST", "/api/sessions/{session_id}/fork"),
    "session_chat": ("POST", "/api/sessions/{session_id}/chat"),
    "session_chat_stream": ("POST", "/api/sessions/{session_id}/chat/stream"),
    "run_list": ("GET", "/v1/runs"),
    "session_events": ("GET", "/api/sessions/{session_id}/events"),
    "profiles": ("GET", "/api/profiles"),
}

#: Feature -> the endpoint that makes it true.
_FEATURES: Final[Mapping[str, str]] = {
    "chat_completions": "chat_completions",
    "chat_completions_streaming": "chat_completions",
    "responses_api": "responses",
    "responses_streaming": "responses",
    "run_submission": "runs",
    "run_status": "run_status",
    "run_events_sse": "run_events",
    "run_events_replay": "run_events",
    "run_stop": "run_stop",
    "run_approval_response": "run_approval",
    "tool_progress_events": "run_events",
    "approval_events": "run_events",
    "session_resources": "sessions",
    "session_chat": "session_chat",
    "session_chat_streaming": "session_chat_stream",
    "session_fork": "session_fork",
    "skills_api": "skills",
}
#: What depends on the agent too: false if its gateway says so.
_OF_THE_AGENT: Final = (
    "run_approval_response",
    "tool_progress_events",
    "approval_events",
    "skills_api",
)
#: What the gateway names and Holdfast does not do.
_NEVER: Final = (
    "admin_config_rw",
    "jobs_admin",
    "memory_write_api",
    "audio_api",
    "realtime_voice",
)


@dataclass(frozen=True)
class Facts:
    """What the table of routes does not say. `gateway`: its own document, empty if not known."""

    model: str
    needs_token: bool
    cors: bool
    gateway: Mapping[str, Any]


def capabilities(routes: Iterable[Route], facts: Facts) -> dict[str, Any]:
    """The document; see `models.Capabilities`."""
    served = {(route.method, _unnamed(route.path)) for route in routes if route.is_served}
    endpoints = {
        name: {"method": method, "path": path}
        for name, (method, path) in ENDPOINTS.items()
        if (method, _unnamed(path)) in served
    }
    return {
        "object": "hermes.api_server.capabilities",
        "platform": "hermes-agent",
        "model": facts.model,
        "auth": {"type": "bearer", "required": facts.needs_token},
        "runtime": {
            "mode": "server_agent",
            "tool_execution": "server",
            "split_runtime": False,
            "description": "Runs are queued here and done by an agent behind this server; tools "
            "work where that agent is.",
        },
        "features": _features(endpoints, facts),
        "endpoints": endpoints,
        "holdfast": {"description": "/openapi.json", "page": "/docs"},
    }


def _unnamed(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", path)


def _features(endpoints: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    features: dict[str, Any] = {name: one in endpoints for name, one in _FEATURES.items()}
    given = facts.gateway.get("features")
    theirs = given if isinstance(given, dict) else {}
    for name in _OF_THE_AGENT:
        features[name] = features[name] and theirs.get(name) is not False
    features |= dict.fromkeys(_NEVER, False)
    if "runs" in endpoints:
        features["runs_idempotency"] = {"supported": True, "durable": True}
        features["session_continuity_header"] = "X-Hermes-Session-Id"
    return features | {"cors": facts.cors}
