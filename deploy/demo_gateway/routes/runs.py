"""`/v1/runs` and below, except the event stream."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

from aiohttp import web

from deploy.demo_gateway import replies
from deploy.demo_gateway.faults import Fault
from deploy.demo_gateway.gateway import GATEWAY, Gateway
from deploy.demo_gateway.idempotency import KeyConflict
from deploy.demo_gateway.runs.run_requests import read_order
from deploy.demo_gateway.runs.runs import Order, Run

CHOICES = frozenset({"once", "session", "always", "deny"})
CHOICE_ALIASES = {"approve": "once", "approved": "once", "allow": "once"}


async def post_run(request: web.Request) -> web.StreamResponse:
    """Start a run: 202 with its id."""
    gateway = request.app[GATEWAY]
    gateway.record.posts += 1
    if gateway.runs.full:
        gateway.record.refused_posts += 1
        return _too_many(gateway.runs.max_runs)
    try:
        body = await replies.read_object(request)
        order = read_order(body, gateway.options.model, request.content_length or 0)
    except replies.BadBody as error:
        gateway.record.refused_posts += 1
        return replies.error(400, str(error))
    order = replace(order, key=_key(request, gateway))
    known = _posted_before(gateway, order)
    if known is not None:
        return known
    fault = gateway.faults.take("post", order.session_id or "")
    if fault is None:
        return _started(_start(gateway, order))
    return await _post_with_fault(request, gateway, order, fault)


def _key(request: web.Request, gateway: Gateway) -> str:
    return request.headers.get("Idempotency-Key", "") if gateway.options.idempotent else ""


def _posted_before(gateway: Gateway, order: Order) -> web.Response | None:
    """The answer to a request that came before with the same key."""
    try:
        run_id = gateway.keys.find(order.key, order.body)
    except KeyConflict:
        gateway.record.refused_posts += 1
        message = "Idempotency-Key was already used with a different request payload"
        return replies.error(409, message, code="idempotency_key_conflict")
    run = gateway.runs.find(run_id) if run_id is not None else None
    if run is None:
        return None
    answer = {"run_id": run.run_id, "status": run.status["status"], "replayed": True}
    return web.json_response(answer, status=202, headers={"Idempotency-Replayed": "true"})


def _start(gateway: Gateway, order: Order) -> Run:
    run = gateway.runs.start(order)
    gateway.keys.keep(order.key, order.body, run.run_id)
    return run


async def _post_with_fault(
    request: web.Request, gateway: Gateway, order: Order, fault: Fault
) -> web.StreamResponse:
    if fault.script is not None:
        order = replace(order, script=fault.script)
    await asyncio.sleep(fault.post_hold_seconds or 0)
    run = _start(gateway, order) if fault.accepts else None
    gateway.record.refused_posts += run is None
    await asyncio.sleep((fault.post_hang_seconds or 0) + fault.latency_ms / 1000)
    if fault.post_status is not None:
        return _refused(fault.post_status, fault.retry_after)
    if fault.post_reset or fault.post_never or run is None:
        return _hang_up(request)
    return _started(run)


def _started(run: Run) -> web.Response:
    return web.json_response({"run_id": run.run_id, "status": "started"}, status=202)


def _too_many(limit: int) -> web.Response:
    return replies.error(
        429,
        f"Too many concurrent runs (max {limit})",
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers={"Retry-After": "1"},
    )


def _refused(status: int, retry_after: float | None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
    if status == 429:
        code, kind = "rate_limit_exceeded", "rate_limit_error"
    else:
        code, kind = "demo_fault", "server_error"
    return replies.error(status, "fault on demand", code=code, kind=kind, headers=headers)


def _hang_up(request: web.Request) -> web.Response:
    """Reset the connection: no answer reaches the client."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def get_run(request: web.Request) -> web.Response:
    """The pollable status."""
    run_id = request.match_info["run_id"]
    run = request.app[GATEWAY].runs.find(run_id)
    return replies.run_not_found(run_id) if run is None else web.json_response(run.status)


async def stop_run(request: web.Request) -> web.Response:
    """Ask an active run to end; asking again changes nothing."""
    run_id = request.match_info["run_id"]
    if not request.app[GATEWAY].runs.stop(run_id):
        return replies.run_not_found(run_id)
    return web.json_response({"run_id": run_id, "status": "stopping"})


async def answer_approval(request: web.Request) -> web.Response:
    """Answer the oldest open question of a run, or all with `all: true`."""
    run_id = request.match_info["run_id"]
    run = request.app[GATEWAY].runs.find(run_id)
    if run is None:
        return replies.run_not_found(run_id)
    try:
        body = await replies.read_object(request)
    except replies.BadBody as fault:
        return replies.error(400, str(fault))
    given = str(body.get("choice", "")).strip().lower()
    choice = CHOICE_ALIASES.get(given, given)
    if choice not in CHOICES:
        message = "Invalid approval choice; expected one of: once, session, always, deny"
        return replies.error(400, message, code="invalid_approval_choice")
    return _resolve(run, choice, everything=bool(body.get("all") or body.get("resolve_all")))


def _resolve(run: Run, choice: str, *, everything: bool) -> web.Response:
    if not run.active:
        message = f"Run has no active approval session: {run.run_id}"
        return replies.error(409, message, code="approval_not_active")
    resolved = 0
    while run.approvals and (everything or not resolved):
        run.approvals.popleft().set_result(choice)
        resolved += 1
    if not resolved:
        message = f"Run has no pending approval: {run.run_id}"
        return replies.error(409, message, code="approval_not_pending")
    run.set_status("running")
    run.send_event("approval.responded", choice=choice, resolved=resolved)
    answer = {"object": "hermes.run.approval_response", "run_id": run.run_id}
    return web.json_response({**answer, "choice": choice, "resolved": resolved})
