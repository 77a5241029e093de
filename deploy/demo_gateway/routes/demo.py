"""`/demo`: faults on demand and the record. The real gateway has no such paths."""

from __future__ import annotations

from aiohttp import web

from deploy.demo_gateway import replies
from deploy.demo_gateway.faults import FaultError
from deploy.demo_gateway.gateway import GATEWAY


async def add_fault(request: web.Request) -> web.Response:
    """Activate a fault; answers with all active ones."""
    try:
        request.app[GATEWAY].faults.add(await replies.read_object(request))
    except (replies.BadBody, FaultError) as fault:
        return replies.error(400, str(fault), code="invalid_fault")
    return await list_faults(request)


async def clear_faults(request: web.Request) -> web.Response:
    """End all faults."""
    request.app[GATEWAY].faults.clear()
    return await list_faults(request)


async def list_faults(request: web.Request) -> web.Response:
    """The faults in force."""
    return web.json_response({"faults": request.app[GATEWAY].faults.as_json()})


async def get_record(request: web.Request) -> web.Response:
    """All that was produced, or that of one session."""
    session_id = request.match_info.get("session_id")
    return web.json_response(request.app[GATEWAY].record.as_json(session_id))
