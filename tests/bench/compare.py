"""One load in rounds, each read directly and through Holdfast right after, as numbers by name."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from tests.bench.cost_in_redis import RedisCost
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.plan import Found, Load
from tests.bench.load.spread import Spread

Numbers = dict[str, Spread]
OURS = ("web", "worker", "redis")


class LossOrDisorder(Exception):
    """A token was lost, doubled or out of order, or a run did not complete."""


def compared(
    stack: MeasuredStack, load: Load, rounds: int, through: Callable[[Load], Found] | None = None
) -> Numbers:
    """All numbers of a load over some rounds. Raises LossOrDisorder."""
    read = through or stack.through
    gathered: dict[str, list[float]] = {}
    for _ in range(rounds):
        direct = sound(stack.direct(load))
        with RedisCost(stack.redis) as redis:
            ours = sound(read(load))
        for name, value in {**numbers(direct, ours), **redis.per(ours.tokens)}.items():
            gathered.setdefault(name, []).append(value)
    return {name: Spread.of(values) for name, values in gathered.items()}


def sound(found: Found) -> Found:
    """The same, if every token came once and in order."""
    if found.faults:
        raise LossOrDisorder("; ".join(found.faults[:5]))
    return found


def numbers(direct: Found, ours: Found) -> dict[str, float]:
    """Names end in their unit; `ratio` is to the direct read, `added` is what we add to it."""
    first, first_direct = _median_ms(ours.first_token), _median_ms(direct.first_token)
    cpu = {f"cpu {role} us": ours.cpu_per_token(role) for role in (*OURS, "gateway", "client")}
    return {
        "tokens/s": ours.rate,
        "direct tokens/s": direct.rate,
        "tokens/s ratio": ours.rate / direct.rate,
        "first token ms": first,
        "direct first token ms": first_direct,
        "added first token ms": first - first_direct,
        "slowest first token ms": 1000 * max(ours.first_token),
        "p50 ms": ours.latency_p50,
        "p99 ms": ours.latency_p99,
        "added p50 ms": ours.latency_p50 - direct.latency_p50,
        "added p99 ms": ours.latency_p99 - direct.latency_p99,
        **cpu,
        "cpu ours us": sum(ours.cpu_per_token(role) for role in OURS),
        "cpu ours ms/run": sum(ours.cpu[role] for role in OURS) * 1000 / len(ours.first_token),
        "cpu direct us": direct.cpu_per_token("gateway") + direct.cpu_per_token("client"),
        "memory web KB/run": ours.memory["web"] / 1024 / len(ours.first_token),
        "memory worker KB/run": ours.memory["worker"] / 1024 / len(ours.first_token),
        "tokens/frame": ours.tokens / max(1, ours.frames),
    }


def _median_ms(seconds: Sequence[float]) -> float:
    return 1000 * statistics.median(seconds)
