"""The gateway's JSON answers: bodies, and errors in the style of OpenAI's API."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


def error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    kind: str = "invalid_request_error",
    headers: dict[str, str] | None = None,
) -> web.Response:
    """`{"error": {message, type, param, code}}` with the HTTP status."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def run_not_found(run_id: str) -> web.Response:
    """The 404 of everything under `/v1/runs/{run_id}`."""
    return error(404, f"Run not found: {run_id}", code="run_not_found")


class BadBody(ValueError):
    """The request's body is not a JSON object."""


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body as an object. Raises BadBody."""
    try:
        body = json.loads(await request.read())
    except ValueError as fault:
        raise BadBody("Invalid JSON") from fault
    if not isinstance(body, dict):
        raise BadBody("Request body must be a JSON object")
    return body
