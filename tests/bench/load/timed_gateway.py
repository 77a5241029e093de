"""The demo gateway as a process that notes when each token was said, and what was asked of it.

The token says nothing about its time, so the bytes are those of an ordinary run, and what merges
tokens on the way does not hide it. `GET /bench/times/{tag}` gives the times: monotonic seconds,
which all processes of a machine share, as an array of doubles. The tag is what follows the last
`#` of a run's input. `GET /bench/requests` gives the requests since it was last asked, by route.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter

from aiohttp import web

from deploy.demo_gateway import __main__ as program
from deploy.demo_gateway import app
from deploy.demo_gateway.faults import Kind
from deploy.demo_gateway.runs.turn import Turn
from tests.support.gateways.demo_gateway import DemoGateway

TIMES: dict[str, array[float]] = {}
REQUESTS: Counter[str] = Counter()


class TimedGateway(DemoGateway):
    """A running one."""

    MODULE = "tests.bench.load.timed_gateway"

    def requests_since(self) -> dict[str, int]:
        """Requests by method and route, since this was last asked."""
        return dict(self.request("GET", "/bench/requests").json())


def tag_of(text: str) -> str:
    """The name under which a run's times are kept."""
    return text.rpartition("#")[2]


def note_times() -> None:
    """Have every `message.delta` noted, just before it goes to its reader."""
    say = Turn.say

    def noting(turn: Turn, text: str) -> None:
        times = turn.__dict__.get("times")
        if times is None:
            times = turn.__dict__["times"] = TIMES.setdefault(
                tag_of(turn.run.order.text), array("d")
            )
        times.append(time.monotonic())
        say(turn, text)

    setattr(Turn, "say", noting)  # noqa: B010 - a method is not assigned to lightly


def note_requests() -> None:
    """Have every request counted by its route."""
    guarded = app._guarded

    def counting(handler: app.Handler, kind: Kind | None) -> app.Handler:
        handle = guarded(handler, kind)

        async def counted(request: web.Request) -> web.StreamResponse:
            resource = request.match_info.route.resource
            REQUESTS[f"{request.method} {resource.canonical if resource else '?'}"] += 1
            return await handle(request)

        return counted

    setattr(app, "_guarded", counting)  # noqa: B010 - neither is a function


async def give_requests(request: web.Request) -> web.Response:
    """The counts, which begin anew."""
    found = web.json_response({name: n for name, n in REQUESTS.items() if "/bench/" not in name})
    REQUESTS.clear()
    return found


async def give_times(request: web.Request) -> web.Response:
    """The times of one run; they are forgotten with that."""
    times = TIMES.pop(request.match_info["tag"], array("d"))
    return web.Response(body=times.tobytes())


if __name__ == "__main__":
    note_times()
    note_requests()
    app._ROUTES.append(("GET", "/bench/times/{tag}", give_times, None))
    app._ROUTES.append(("GET", "/bench/requests", give_requests, None))
    program.main()
