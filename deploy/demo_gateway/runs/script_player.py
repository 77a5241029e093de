"""Plays the script of one run: tokens at its rate, between them tools, approvals and faults."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import groupby, islice
from operator import attrgetter

from deploy.demo_gateway import poison
from deploy.demo_gateway.runs.ending import end_turn
from deploy.demo_gateway.runs.event_stream import Mark, encode_event
from deploy.demo_gateway.runs.run_requests import flatten
from deploy.demo_gateway.runs.runs import Run
from deploy.demo_gateway.runs.script import Approval, Junk, Stall, Tool
from deploy.demo_gateway.runs.turn import Turn

# At full speed other tasks run after so many deltas.
YIELD_EVERY = 64

Step = tuple[int, Callable[[], Awaitable[None]]]


async def play(run: Run) -> None:
    """Play the run to its end. A request to stop it cancels this task."""
    turn = Turn(run)
    try:
        await ScriptPlayer(turn).play()
    except asyncio.CancelledError:
        if not run.stopping:
            raise  # the process ends
        end_turn(turn, "cancelled")
    else:
        end_turn(turn, "cancelled" if run.stopping else run.order.script.end)


class ScriptPlayer:
    """Plays one run."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._run = turn.run
        self._script = turn.run.order.script
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()

    async def play(self) -> None:
        """Play everything but the end of the run."""
        script, run = self._script, self._run
        if not run.stopping:
            run.set_status("running")
        run.writer.write("user", flatten(run.order.content))
        await asyncio.sleep(script.first_delay)
        self._due = self._loop.time()  # the delay is not caught up with
        await self._reason()
        if script.nul:
            self._turn.say("nul\x00 ")
        if script.surrogate:
            self._turn.say("surrogate\ud800 ")
        texts = _texts(run)
        done = 0
        for position, step in self._steps():
            await self._paced(islice(texts, max(0, position - done)), self._turn.say)
            done = max(done, position)
            await step()
            self._due = max(self._due, self._loop.time())
        await self._paced(texts, self._turn.say)
        if script.end == "hang":
            await self._loop.create_future()

    def _steps(self) -> list[Step]:
        """What happens between tokens, by position."""
        script = self._script
        steps: list[Step] = [(s.after, partial(self._stall, s)) for s in script.stall]
        by_position = attrgetter("after")
        questions = groupby(sorted(script.approval, key=by_position), key=by_position)
        steps += [(after, partial(self._ask, list(group))) for after, group in questions]
        steps += [(t.after, partial(self._use_tool, t)) for t in script.tools]
        if script.event_bytes:
            steps.append((script.event_bytes_after, self._say_giant))
        steps += [(j.after, partial(self._junk, j.kind)) for j in script.junk]
        if script.cut is not None:
            steps.append((script.cut, self._cut))
        return sorted(steps, key=lambda step: step[0])

    async def _paced(self, texts: Iterator[str], say: Callable[[str], None]) -> None:
        """Say each text at the script's rate, catching up after a delay."""
        interval = 1 / self._script.rate if self._script.rate else 0.0
        for number, text in enumerate(texts, start=1):
            pause = self._due - self._loop.time() if interval else 0.0
            if pause > 0:
                await asyncio.sleep(pause)
            elif number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            self._due += interval
            say(text)

    async def _say_giant(self) -> None:
        self._turn.say("g" * self._script.event_bytes)

    async def _reason(self) -> None:
        script = self._script
        numbers = range(1, script.reasoning + 1)
        texts = (script.reasoning_text.replace("{n}", str(n)) for n in numbers)
        await self._paced(texts, self._turn.think)
        if script.reasoning_available is not None:
            self._turn.show_thoughts(script.reasoning_available)

    async def _use_tool(self, tool: Tool) -> None:
        """The call closes the text before it; its result goes to the transcript only."""
        run, arguments = self._run, json.dumps(tool.arguments)
        call_id = self._turn.close_for_tool(tool.name, arguments)
        run.send_event("tool.started", tool=tool.name, preview=tool.preview or arguments[:40])
        started = time.monotonic()
        await asyncio.sleep(tool.seconds)
        duration = round(time.monotonic() - started, 3)
        run.writer.write("tool", tool.output, tool_call_id=call_id)
        run.send_event("tool.completed", tool=tool.name, duration=duration, error=tool.error)

    async def _ask(self, asked: list[Approval]) -> None:
        """Ask and wait until all are answered or their time is over."""
        run = self._run
        answers = [self._loop.create_future() for _ in asked]
        for question, answer in zip(asked, answers, strict=True):
            run.approvals.append(answer)
            self._send_question(question)
        await asyncio.wait(answers, timeout=max(question.timeout for question in asked))
        run.approvals.clear()
        if not run.stopping:
            run.set_status("running")

    def _send_question(self, question: Approval) -> None:
        always = ["always"] if question.allow_permanent else []
        self._run.set_status("waiting_for_approval")
        self._run.send_event(
            "approval.request",
            unlisted_too=True,
            command=question.command,
            pattern_key="demo",
            pattern_keys=["demo"],
            description=question.description,
            allow_permanent=question.allow_permanent,
            choices=["once", "session", *always, "deny"],
        )

    async def _stall(self, stall: Stall) -> None:
        await asyncio.sleep(stall.seconds)

    async def _cut(self) -> None:
        self._run.stream.put(Mark.CUT)

    async def _junk(self, kind: Junk) -> None:
        self._run.stream.put(_junk_bytes(kind, self._run.run_id))


def _texts(run: Run) -> Iterator[str]:
    script = run.order.script
    if script.say is not None:
        return iter(re.findall(r"\s*\S+\s*", script.say))
    return (script.text.replace("{n}", str(n)) for n in range(1, script.tokens + 1))


def _junk_bytes(kind: Junk, run_id: str) -> bytes:
    unknown = {"event": "demo.unknown", "run_id": run_id, "timestamp": time.time(), "value": 1}
    return {
        "broken_json": b'data: {"event": "message.del\n\n',
        "not_utf8": b"data: \xff\xfe\xc3\x28\n\n",
        "not_an_object": b'data: [1, "two", null]\n\n',
        "no_field": b"neither comment nor field\r\n\r\n",
        "unknown_event": encode_event(unknown),
        "wrong_types": b"".join(poison.EVENTS),
    }[kind]
