"""Health, capabilities and models of the gateway."""

from __future__ import annotations

import os
import time
from typing import Any

from aiohttp import web

from deploy.demo_gateway.gateway import GATEWAY, Gateway

VERSION = "demo"
_SELF = {"platform": "hermes-agent", "version": VERSION, "demo": True}

_UNSUPPORTED = [
    "chat_completions",
    "chat_completions_streaming",
    "responses_api",
    "responses_streaming",
    "session_chat",
    "session_chat_streaming",
    "session_fork",
    "admin_config_rw",
    "jobs_admin",
    "memory_write_api",
    "audio_api",
    "realtime_voice",
    "cors",
]
_SUPPORTED = [
    "run_submission",
    "run_status",
    "run_events_sse",
    "run_stop",
    "run_approval_response",
    "tool_progress_events",
    "approval_events",
    "session_resources",
    "skills_api",
]

_ENDPOINTS = {
    "health": ("GET", "/health"),
    "health_detailed": ("GET", "/health/detailed"),
    "models": ("GET", "/v1/models"),
    "runs": ("POST", "/v1/runs"),
    "run_status": ("GET", "/v1/runs/{run_id}"),
    "run_events": ("GET", "/v1/runs/{run_id}/events"),
    "run_approval": ("POST", "/v1/runs/{run_id}/approval"),
    "run_stop": ("POST", "/v1/runs/{run_id}/stop"),
    "skills": ("GET", "/v1/skills"),
    "toolsets": ("GET", "/v1/toolsets"),
    "sessions": ("GET", "/api/sessions"),
    "session": ("GET", "/api/sessions/{session_id}"),
    "session_delete": ("DELETE", "/api/sessions/{session_id}"),
    "session_messages": ("GET", "/api/sessions/{session_id}/messages"),
}


async def health(_request: web.Request) -> web.Response:
    """Alive; asks for no key."""
    return web.json_response({"status": "ok", **_SELF})


async def health_detailed(request: web.Request) -> web.Response:
    """Process id and work in progress."""
    active = request.app[GATEWAY].runs.counted_active()
    queues = {"active_api_runs": active, "process_completions": 0, "active_delegations": 0}
    checks: dict[str, dict[str, Any]] = {
        "state_db": {"status": "ok"},
        "config": {"status": "ok"},
        "model": {"status": "ok"},
        "disk": {"status": "ok"},
        "gateway": {"status": "ok", "state": "running", "connected_platforms": 1, "platforms": 1},
        "background_queues": {"status": "ok", **queues},
    }
    old = request.app[GATEWAY].options.no_sessions
    readiness = {} if old else {"readiness": {"status": "ok", "checks": checks}}
    return web.json_response(
        {
            "status": "ok",
            **readiness,
            **_SELF,
            "gateway_state": "running",
            "platforms": {"api_server": {"state": "connected"}},
            "active_agents": 0 if old else active,
            "gateway_busy": active > 0,
            "gateway_drainable": True,
            "exit_reason": None,
            "updated_at": None,
            "pid": os.getpid(),
        }
    )


async def models(request: web.Request) -> web.Response:
    """The only model."""
    name = request.app[GATEWAY].options.model
    entry = {"id": name, "object": "model", "created": int(time.time()), "owned_by": "hermes"}
    entry |= {"permission": [], "root": name, "parent": None}
    return web.json_response({"object": "list", "data": [entry]})


async def skills(_request: web.Request) -> web.Response:
    """It has none."""
    return web.json_response({"object": "list", "data": []})


async def toolsets(_request: web.Request) -> web.Response:
    """The tool that scripts call, in a set of its own."""
    about = {"name": "demo", "label": "Demo", "description": "Tools that scripts play."}
    one = {**about, "enabled": True, "configured": True, "tools": ["terminal"]}
    return web.json_response({"object": "list", "platform": "api_server", "data": [one]})


async def capabilities(request: web.Request) -> web.Response:
    """The part of the real gateway's interface that is implemented here."""
    gateway = request.app[GATEWAY]
    return web.json_response(
        {
            "object": "hermes.api_server.capabilities",
            **_SELF,
            "model": gateway.options.model,
            "auth": {"type": "bearer", "required": bool(gateway.options.api_key)},
            "runtime": {
                "mode": "server_agent",
                "tool_execution": "server",
                "split_runtime": False,
                "description": "Demo gateway of Holdfast: plays scripts, asks no model.",
            },
            "features": _features(gateway),
            "endpoints": {
                name: {"method": method, "path": path}
                for name, (method, path) in _ENDPOINTS.items()
            },
        }
    )


def _features(gateway: Gateway) -> dict[str, Any]:
    features: dict[str, Any] = dict.fromkeys(_SUPPORTED, True) | dict.fromkeys(_UNSUPPORTED, False)
    if gateway.options.replay:
        features["run_events_replay"] = True
    if gateway.options.idempotent:
        features["runs_idempotency"] = {"supported": True, "durable": True}
    if gateway.options.no_sessions:
        del features["session_resources"]
    return features
