"""`/api/sessions`: the gateway's memory of sessions and their messages."""

from __future__ import annotations

from aiohttp import web

from deploy.demo_gateway import replies
from deploy.demo_gateway.gateway import GATEWAY
from deploy.demo_gateway.sessions import Session

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_OFFSET = 1_000_000


async def list_sessions(request: web.Request) -> web.Response:
    """A page of sessions, last used first."""
    limit = _number(request, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    offset = _number(request, "offset", 0, MAX_OFFSET)
    page = request.app[GATEWAY].sessions.page(limit, offset, request.query.get("source"))
    rows = [session.row for session in page]
    return web.json_response(
        {
            "object": "list",
            "data": rows,
            "limit": limit,
            "offset": offset,
            "has_more": len(rows) == limit,
        }
    )


async def get_session(request: web.Request) -> web.Response:
    """One session with its token totals."""
    session = _find(request)
    if session is None:
        return _not_found(request)
    return web.json_response({"object": "hermes.session", "session": session.row})


async def get_messages(request: web.Request) -> web.Response:
    """All messages of a session, in the order of writing."""
    session = _find(request)
    if session is None:
        return _not_found(request)
    session_id = session.row["id"]
    return web.json_response({"object": "list", "session_id": session_id, "data": session.messages})


async def delete_session(request: web.Request) -> web.Response:
    """Forget a session."""
    gateway, session_id = request.app[GATEWAY], request.match_info["session_id"]
    found = gateway.sessions.delete(session_id)
    gateway.record.add_delete(session_id, found=found)
    if not found:
        return _not_found(request)
    return web.json_response(
        {"object": "hermes.session.deleted", "id": session_id, "deleted": True}
    )


def _find(request: web.Request) -> Session | None:
    return request.app[GATEWAY].sessions.get(request.match_info["session_id"])


def _not_found(request: web.Request) -> web.Response:
    message = f"Session not found: {request.match_info['session_id']}"
    return replies.error(404, message, code="session_not_found")


def _number(request: web.Request, name: str, default: int, maximum: int) -> int:
    """A query parameter; what is not a number from 0 on counts as absent."""
    try:
        value = int(request.query.get(name, default))
    except ValueError:
        return default
    return default if value < 0 else min(value, maximum)
