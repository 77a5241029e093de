"""A turn of several steps on the real gateway: text, a tool call with its result, more text."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.support.gateways.model_script import Body, Script, ToolCall, Turn, last_message, tokens

FIRST, LAST = tokens(40, stem="a"), tokens(60, stem="b")
SPOKEN = "".join((*FIRST, *LAST)).split()
PRINTED = "from-the-tool-42"


@dataclass(frozen=True)
class Pace:
    """Seconds: before each word, of the tool, and of thinking before the first word."""

    first: float = 0.05
    tool: float = 1.0
    last: float = 0.05
    thinking: float = 0.0


PACES = {
    "slow case": Pace(tool=3.0, last=0.35),  # goes on after the takeover with the usual lease
    "text case": Pace(),
    "tool case": Pace(first=0.01, tool=4.0),
    "thinking case": Pace(thinking=3.0),
    "frozen case": Pace(tool=2.0, last=0.1),
    "killed twice case": Pace(tool=3.0, last=0.15),
}


def script(pace: Pace) -> Script:
    """Text, one tool call, more text."""
    command = f"sleep {pace.tool}; echo from-the-tool-$((40 + 2))"
    call = ToolCall("terminal", {"command": command}, id="call_sleep")

    def turn(body: Body) -> Turn:
        if last_message(body).get("role") == "tool":
            return Turn(text=LAST, delay=pace.last)
        time.sleep(pace.thinking)
        return Turn(text=FIRST, tools=(call,), delay=pace.first)

    return turn
