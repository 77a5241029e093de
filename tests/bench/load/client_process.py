"""The client process: starts the runs of a plan, reads them to their ends, judges them.

`python -m tests.bench.load.client_process` takes a plan as JSON on its standard input and prints
what it found as JSON.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
import time
from array import array
from collections import deque
from dataclasses import asdict

import requests

from tests.bench.load.plan import Found, Load, Plan
from tests.bench.load.resource_usage import ResourceUsage
from tests.bench.load.run_readers import DirectRunReader, RunReader, SocketRunReader, run_input
from tests.bench.report.verdict import Verdict, judge

LOOK_EVERY = 0.5  # seconds that a wait for bytes lasts at most


def main() -> None:
    """Read one plan, print what was found."""
    raw = json.load(sys.stdin)
    plan = Plan(**{**raw, "load": Load(**raw["load"])})
    json.dump(asdict(carry_out(plan)), sys.stdout)


def carry_out(plan: Plan) -> Found:
    """Start, read, judge."""
    readers = _readers(plan)
    whole = plan.load.rate == 0 or plan.load.starts > 0
    usage = ResourceUsage({**plan.pids, "client": [os.getpid()]}, whole=whole)
    late = _read_all(readers, time.monotonic() + plan.deadline, usage, plan.load.starts)
    usage.end()
    verdicts = [
        judge(reader, tag, plan.load.tokens, _times(plan, tag), usage.steady)
        for reader, tag in zip(readers, plan.sessions, strict=True)
    ]
    faults = [f"{late} runs had no end in time"] if late else []
    return _found(readers, verdicts, usage, faults)


def _readers(plan: Plan) -> list[RunReader]:
    load, readers = plan.load, list[RunReader]()
    for number, tag in enumerate(plan.sessions):
        order = run_input(tag, load.tokens, load.rate)
        if plan.urls:
            url = plan.urls[number % len(plan.urls)]
            readers.append(SocketRunReader(url, plan.token, tag, order))
        else:
            readers.append(DirectRunReader(plan.gateway, plan.key, order))
    return readers


def _read_all(
    readers: list[RunReader], deadline: float, usage: ResourceUsage, starts: float
) -> int:
    """Until all have ended; the number of those that did not."""
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    left, waiting, to_start = len(readers), len(readers), deque(readers)
    began = time.monotonic()
    while left and time.monotonic() < deadline:
        pause = LOOK_EVERY
        while to_start:
            number = len(readers) - len(to_start)
            pause = began + number / starts - time.monotonic() if starts else 0.0
            if pause > 0:
                break
            to_start.popleft().start(time.monotonic())
        for key, _ in selector.select(min(LOOK_EVERY, max(0.0, pause))):
            reader, begun = key.data, key.data.begun
            reader.read(time.monotonic())
            if reader.begun and not begun:
                waiting -= 1
                if not waiting:
                    usage.all_begun()
            if reader.ended:
                usage.one_ended()
                selector.unregister(reader.socket)
                left -= 1
        usage.sample()
    selector.close()
    return left


def _times(plan: Plan, tag: str) -> array[float]:
    """When the gateway said this run's tokens."""
    times = array("d")
    head = {"Authorization": f"Bearer {plan.key}"}
    answer = requests.get(f"{plan.gateway}/bench/times/{tag}", headers=head, timeout=30)
    times.frombytes(answer.content)
    return times


def _found(
    readers: list[RunReader], verdicts: list[Verdict], usage: ResourceUsage, faults: list[str]
) -> Found:
    latencies = sorted(value for verdict in verdicts for value in verdict.latencies)
    shown = latencies or [0.0]
    began = min(reader.began for reader in readers)
    return Found(
        tokens=sum(verdict.tokens for verdict in verdicts),
        steady_tokens=len(latencies),
        seconds=max(verdict.last_at for verdict in verdicts) - began,
        seconds_to_end=max(verdict.ended_at for verdict in verdicts) - began,
        first_token=[v.first_at - x.began for x, v in zip(readers, verdicts, strict=True)],
        latency_p50=shown[len(shown) // 2],
        latency_p99=shown[len(shown) * 99 // 100],
        latency_max=shown[-1],
        frames=sum(len(reader.arrivals) for reader in readers),
        cpu=usage.cpu(),
        memory=usage.memory(),
        faults=[*faults, *(fault for verdict in verdicts for fault in verdict.faults)],
    )


if __name__ == "__main__":
    main()
