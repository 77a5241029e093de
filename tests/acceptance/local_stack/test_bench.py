"""The bench kit runs: small loads, every token judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.compare import compared, sound
from tests.bench.idle import idle_numbers
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.plan import Load
from tests.bench.starts import measured_starts


@pytest.fixture(scope="module")
def stack() -> Iterator[MeasuredStack]:
    built = MeasuredStack(web=2)
    try:
        built.start()
        yield built
    finally:
        built.stop()


def test_a_load_is_read_directly_and_through_holdfast_without_loss(stack: MeasuredStack) -> None:
    numbers = compared(stack, Load(3, 40), rounds=1)
    assert numbers["tokens/s"].median > 0
    assert numbers["redis log bytes"].median > 0


def test_each_token_of_a_paced_load_has_a_latency(stack: MeasuredStack) -> None:
    found = sound(stack.through(Load(2, 60, 40.0)))
    assert found.tokens == 120
    assert 0 < found.steady_tokens <= 120
    assert 0 < found.latency_p50 <= found.latency_p99 <= found.latency_max


def test_starts_and_ends_are_counted_per_run(stack: MeasuredStack) -> None:
    loads = {"at once": Load(6, 5), "in turn": Load(6, 5, starts=20.0)}
    cases = measured_starts(stack, loads, rounds=1)
    for numbers in cases.values():
        assert numbers["gateway requests/run"].median >= 2, "a POST, and a stream at least"
        assert numbers["redis commands/run"].median > 0
        assert numbers["first token p50 ms"].median <= numbers["first token p99 ms"].median
    assert cases["in turn"]["runs/s"].median <= 24 < cases["at once"]["direct runs/s"].median


def test_an_idle_socket_costs_at_most_20_kilobytes(stack: MeasuredStack) -> None:
    idle_numbers(stack, 50, 0.1)  # what the process does for the first time
    numbers = idle_numbers(stack, 500, 0.1)
    assert numbers["sockets opened/s"] > 0
    assert numbers["KB/socket"] <= 20
