"""`GET /v1/runs/{run_id}/events`: the stream of one run's events."""

from __future__ import annotations

import asyncio

from aiohttp import web

from deploy.demo_gateway import replies
from deploy.demo_gateway.gateway import GATEWAY, Gateway
from deploy.demo_gateway.runs.event_stream import Frame, Mark, Reader
from deploy.demo_gateway.runs.runs import Run

# A reader may come a moment before its run.
REGISTRATION_WAIT = 1.0
REGISTRATION_LOOK = 0.05

_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


async def stream_events(request: web.Request) -> web.StreamResponse:
    """Stream the run's events; a reader that leaves drops the stream (see event_stream.py)."""
    gateway = request.app[GATEWAY]
    run = await _listed_run(gateway, request.match_info["run_id"])
    if run is None:
        return replies.run_not_found(request.match_info["run_id"])
    response = web.StreamResponse(status=200, headers=_HEADERS)
    reader = run.stream.attach(gateway.options.keepalive)
    run.record.readers_opened += 1
    try:
        await response.prepare(request)
        await _copy(reader, request, response, run.order.script.cut_bytes)
    except ConnectionResetError:
        pass  # the reader went away: noticed, as in the real gateway, by the next write
    finally:
        run.stream.detach(reader)
    return response


async def _listed_run(gateway: Gateway, run_id: str) -> Run | None:
    for _ in range(round(REGISTRATION_WAIT / REGISTRATION_LOOK)):
        run = gateway.runs.find(run_id)
        if run is not None and run.stream.listed:
            return run
        await asyncio.sleep(REGISTRATION_LOOK)
    return None


async def _copy(
    reader: Reader, request: web.Request, response: web.StreamResponse, limit: int | None
) -> None:
    while True:
        frames = await reader.take()
        data = _joined(frames)
        await response.write(data[:limit])
        if limit is not None and (limit := limit - len(data)) <= 0:
            frames = [Mark.CUT]
        if not frames or not isinstance(frames[-1], Mark):
            continue
        if frames[-1] is Mark.CUT and request.transport is not None:
            request.transport.close()  # sends what is buffered, but not the end of the body
        return


def _joined(frames: list[Frame]) -> bytes:
    if not frames:
        return b": keepalive\n\n"
    if frames[-1] is Mark.CLOSE:
        frames = [*frames[:-1], b": stream closed\n\n"]
    return b"".join(frame for frame in frames if isinstance(frame, bytes))
