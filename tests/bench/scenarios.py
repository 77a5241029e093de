"""What is measured. Each scenario starts a stack of its own and gives numbers by case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.compare import compared, sound
from tests.bench.idle import idle_numbers
from tests.bench.load.cpu import cpu_seconds
from tests.bench.load.databases import Fresh
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.plan import Found, Load
from tests.bench.load.spread import Spread
from tests.bench.report.results import Cases
from tests.bench.sessions import measured_sessions, seed
from tests.bench.starts import AT_ONCE, LOADS, measured_starts

Scenario = Callable[[Fresh, int], Cases]  # databases, rounds

FLAT_OUT = Load(20, 20_000)
PACED = Load(200, 1_500, 50.0)  # longer than 200 starts take on two cores
ONE = Load(1, 20)
SOME = Load(5, 3_000, 1000.0)
RUNS = (1, 5, 20, 50, 100, 200)
FLAT_OUT_TOKENS = 200_000
LENGTHS = (10, 100, 1_000, 10_000, 100_000)
MESSAGES = (0, 100, 400, 1_000, 2_000, 4_000)
IDLE_ROUNDS = 15


@contextmanager
def stack(fresh: Fresh, **options: Any) -> Iterator[MeasuredStack]:
    """A started system that has done its first run."""
    built = MeasuredStack(database_url=fresh(), **options)
    try:
        built.start()
        built.through(ONE)
        yield built
    finally:
        built.stop()


def goals(fresh: Fresh, rounds: int) -> Cases:
    """The loads that have goals."""
    with stack(fresh) as system:
        return {
            "20 runs flat out": compared(system, FLAT_OUT, rounds),
            "200 runs at 50/s": compared(system, PACED, rounds),
            "one run, idle system": compared(system, ONE, max(rounds, IDLE_ROUNDS)),
        }


def starts(fresh: Fresh, rounds: int) -> Cases:
    """Many short runs: what a start and an end cost."""
    with stack(fresh) as system:
        return measured_starts(system, LOADS, rounds)


def starts_by_processes(fresh: Fresh, rounds: int) -> Cases:
    """Runs at once on one, two, four web processes and as many workers."""
    cases: Cases = {}
    for count in (1, 2, 4):
        with stack(fresh, web=count, workers=count) as system:
            cases |= measured_starts(system, {f"{count} + {count}": AT_ONCE}, rounds)
    return cases


def sessions(fresh: Fresh, rounds: int) -> Cases:
    """Long sessions: `resume`, and the start of a run."""
    with stack(fresh) as system:
        return measured_sessions(system, system.source, max(rounds, IDLE_ROUNDS))


def bystander(fresh: Fresh, rounds: int) -> Cases:
    """A second web process without a socket of the busy sessions."""
    values = []
    with stack(fresh, web=2) as system:
        for _ in range(rounds):
            pid = system.web[1].pid
            cpu, began = cpu_seconds(pid), time.monotonic()
            sound(system.through(Load(20, 250, 50.0), urls=system.urls[:1]))
            values.append(100 * (cpu_seconds(pid) - cpu) / (time.monotonic() - began))
    return {"bystander": {"cpu %": Spread.of(values)}}


def idle_sockets(fresh: Fresh, rounds: int, count: int = 5_000) -> Cases:
    """Thousands of sockets that do nothing; a fresh process each round."""
    gathered: dict[str, list[float]] = {}
    for _ in range(min(rounds, 3)):
        with stack(fresh) as system:
            for name, value in idle_numbers(system, count).items():
                gathered.setdefault(name, []).append(value)
    return {f"{count} sockets": {name: Spread.of(v) for name, v in gathered.items()}}


def by_runs(fresh: Fresh, rounds: int) -> Cases:
    """Throughput flat out, and latency at 50 tokens/s, against the number of runs."""
    cases: Cases = {}
    with stack(fresh) as system:
        for runs in RUNS:
            flat = compared(system, Load(runs, FLAT_OUT_TOKENS // runs), rounds)
            paced = compared(system, Load(runs, 250, 50.0), rounds)
            shared = {name: flat[name] for name in ("tokens/s", "direct tokens/s", "cpu ours us")}
            cases[str(runs)] = {**{f"paced {n}": v for n, v in paced.items()}, **shared}
    return cases


def by_web(fresh: Fresh, rounds: int) -> Cases:
    """The same load on one, two, four web processes; and the same for each of them, `grown`."""
    cases: Cases = {}
    for count in (1, 2, 4):
        with stack(fresh, web=count) as system:
            flat = compared(system, FLAT_OUT, rounds)
            paced = compared(system, Load(60, 250, 50.0), rounds)
            grown = compared(system, Load(30 * count, 500, 50.0), rounds)
        cases[str(count)] = {
            **flat,
            **{f"paced {name}": v for name, v in paced.items()},
            **{f"grown {name}": v for name, v in grown.items()},
        }
    return cases


def by_messages(fresh: Fresh, rounds: int) -> Cases:
    """First token, and cost per token after the start, against the length of the session."""
    cases: Cases = {}
    with stack(fresh) as system:
        for count in MESSAGES:
            names = [f"m{count}-{n}" for n in range(SOME.runs)]
            for name in names:
                seed(system, name, count, 1000)

            def through(load: Load, names: list[str] = names) -> Found:
                return system.through(load, sessions=names[: load.runs])

            start = compared(system, Load(1, 2), max(5, rounds), through)
            steady = compared(system, SOME, rounds, through)
            cases[str(count)] = {**steady, **{f"start {name}": v for name, v in start.items()}}
    return cases


def by_length(fresh: Fresh, rounds: int) -> Cases:
    """Cost of a run against the length of its answer, alone on the system, flat out."""
    with stack(fresh) as system:
        return {str(length): compared(system, Load(1, length), rounds) for length in LENGTHS}


ALL: dict[str, Scenario] = {
    "goals": goals,
    "starts": starts,
    "starts_by_processes": starts_by_processes,
    "sessions": sessions,
    "bystander": bystander,
    "idle_sockets": idle_sockets,
    "by_runs": by_runs,
    "by_web": by_web,
    "by_messages": by_messages,
    "by_length": by_length,
}
