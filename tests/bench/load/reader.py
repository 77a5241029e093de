"""The client process: starts all runs of a plan at once, reads them to their ends, judges them.

`python -m tests.bench.load.reader` takes a plan as JSON on its standard input and prints what it
found.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
import time
from array import array
from dataclasses import asdict

import requests

from tests.bench.load.lines_in import DirectLine, Line, SocketLine, order_of
from tests.bench.load.plan import Found, Load, Plan
from tests.bench.load.watch import Watch
from tests.bench.report.verdict import Verdict, judge

LOOK_EVERY = 0.5  # seconds that a wait for bytes lasts at most


def main() -> None:
    """Read one plan, print what was found."""
    raw = json.load(sys.stdin)
    plan = Plan(**{**raw, "load": Load(**raw["load"])})
    json.dump(asdict(carry_out(plan)), sys.stdout)


def carry_out(plan: Plan) -> Found:
    """Start, read, judge."""
    lines = _lines(plan)
    watch = Watch({**plan.pids, "client": [os.getpid()]}, whole=plan.load.rate == 0)
    late = _read_all(lines, time.monotonic() + plan.deadline, watch)
    watch.end()
    verdicts = [
        judge(line, tag, plan.load.tokens, _times(plan, tag), watch.steady)
        for line, tag in zip(lines, plan.sessions, strict=True)
    ]
    faults = [f"{late} runs had no end in time"] if late else []
    return _found(lines, verdicts, watch, faults)


def _lines(plan: Plan) -> list[Line]:
    load, lines = plan.load, list[Line]()
    for number, tag in enumerate(plan.sessions):
        order = order_of(tag, load.tokens, load.rate)
        if plan.urls:
            url = plan.urls[number % len(plan.urls)]
            lines.append(SocketLine(url, plan.token, tag, order))
        else:
            lines.append(DirectLine(plan.gateway, plan.key, order))
    return lines


def _read_all(lines: list[Line], deadline: float, watch: Watch) -> int:
    """Until all have ended; the number of those that did not."""
    selector = selectors.DefaultSelector()
    for line in lines:
        selector.register(line.socket, selectors.EVENT_READ, line)
        line.start(time.monotonic())
    left, waiting = len(lines), len(lines)
    while left and time.monotonic() < deadline:
        for key, _ in selector.select(LOOK_EVERY):
            line, begun = key.data, key.data.begun
            line.read(time.monotonic())
            if line.begun and not begun:
                waiting -= 1
                if not waiting:
                    watch.all_begun()
            if line.ended:
                watch.one_ended()
                selector.unregister(line.socket)
                left -= 1
        watch.look()
    selector.close()
    return left


def _times(plan: Plan, tag: str) -> array[float]:
    """When the gateway said this run's tokens."""
    times = array("d")
    head = {"Authorization": f"Bearer {plan.key}"}
    answer = requests.get(f"{plan.gateway}/bench/times/{tag}", headers=head, timeout=30)
    times.frombytes(answer.content)
    return times


def _found(lines: list[Line], verdicts: list[Verdict], watch: Watch, faults: list[str]) -> Found:
    latencies = sorted(value for verdict in verdicts for value in verdict.latencies)
    shown = latencies or [0.0]
    began = min(line.began for line in lines)
    return Found(
        tokens=sum(verdict.tokens for verdict in verdicts),
        steady_tokens=len(latencies),
        seconds=max(verdict.last_at for verdict in verdicts) - began,
        seconds_to_end=max(verdict.ended_at for verdict in verdicts) - began,
        first_token=[v.first_at - x.began for x, v in zip(lines, verdicts, strict=True)],
        latency_p50=shown[len(shown) // 2],
        latency_p99=shown[len(shown) * 99 // 100],
        latency_max=shown[-1],
        frames=sum(len(line.arrivals) for line in lines),
        cpu=watch.cpu(),
        memory=watch.memory(),
        faults=[*faults, *(fault for verdict in verdicts for fault in verdict.faults)],
    )


if __name__ == "__main__":
    main()
