"""The demo gateway as a process that notes when each token was said.

The token says nothing about its time, so the bytes are those of an ordinary run, and what merges
tokens on the way does not hide it. `GET /bench/times/{tag}` gives the times: monotonic seconds,
which all processes of a machine share, as an array of doubles. The tag is what follows the last
`#` of a run's input.
"""

from __future__ import annotations

import time
from array import array

from aiohttp import web

from deploy.demo_gateway import __main__ as program
from deploy.demo_gateway import app
from deploy.demo_gateway.runs.turn import Turn
from tests.support.gateways.demo_gateway import DemoGateway

TIMES: dict[str, array[float]] = {}


class TimedGateway(DemoGateway):
    """A running one."""

    MODULE = "tests.bench.load.timed_gateway"


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


async def give_times(request: web.Request) -> web.Response:
    """The times of one run; they are forgotten with that."""
    times = TIMES.pop(request.match_info["tag"], array("d"))
    return web.Response(body=times.tobytes())


if __name__ == "__main__":
    note_times()
    app._ROUTES.append(("GET", "/bench/times/{tag}", give_times, None))
    program.main()
