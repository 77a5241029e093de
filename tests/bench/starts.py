"""What starting and ending runs costs: many short runs, at once and one after the other.

Everything counts here, from the first request to the last end; each run has a socket of its own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from tests.bench.compare import OURS, sound
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.plan import Found, Load
from tests.bench.load.spread import Spread
from tests.bench.report.results import Cases

AT_ONCE = Load(500, 20)
LOADS = {
    "500 at once": AT_ONCE,
    "20 a second": Load(200, 20, starts=20.0),
    "50 a second": Load(300, 20, starts=50.0),
    "100 a second": Load(500, 20, starts=100.0),
    "200 long runs, 50 a second": Load(200, 500, rate=50.0, starts=50.0),
}


def measured_starts(stack: MeasuredStack, loads: dict[str, Load], rounds: int) -> Cases:
    """The numbers of each load over some rounds. Raises LossOrDisorder."""
    cases: Cases = {}
    for name, load in loads.items():
        gathered: dict[str, list[float]] = {}
        for _ in range(rounds):
            direct = sound(stack.direct(load))
            before = _counts(stack)
            found = sound(stack.through(load))
            after = _counts(stack)
            counts = {key: (after[key] - before[key]) / load.runs for key in after}
            for key, value in {**_numbers(found, direct), **counts}.items():
                gathered.setdefault(key, []).append(value)
        cases[name] = {key: Spread.of(values) for key, values in gathered.items()}
    return cases


def _numbers(found: Found, direct: Found) -> dict[str, float]:
    runs = len(found.first_token)
    cpu = {f"cpu {role} ms/run": 1000 * found.cpu[role] / runs for role in OURS}
    first, first_direct = sorted(found.first_token), sorted(direct.first_token)
    return {
        "runs/s": runs / found.seconds_to_end,
        "direct runs/s": runs / direct.seconds_to_end,
        "cpu ms/run": sum(cpu.values()),
        **cpu,
        "cpu us/token": sum(found.cpu_per_token(role) for role in OURS),
        "first token p50 ms": 1000 * first[runs // 2],
        "first token p99 ms": 1000 * first[runs * 99 // 100],
        "direct first token p50 ms": 1000 * first_direct[runs // 2],
        "p99 ms": found.latency_p99,
        "added p99 ms": found.latency_p99 - direct.latency_p99,
    }


def _counts(stack: MeasuredStack) -> dict[str, float]:
    """Counters that only grow, of what a run asks of its servers."""
    with stack.redis.client() as redis:
        stats: Any = redis.info("stats")
    counts = {"redis commands/run": float(stats["total_commands_processed"])}
    stack.asked.update(stack.source.requests_since())
    counts["gateway requests/run"] = float(stack.asked.total())
    if not stack.db.is_sqlite:
        statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        commits = stack.db.read(lambda tx: tx.scalar(text(statement)))
        counts["commits/run"] = float(commits or 0)
    return counts
