"""What lives goes before what waits: few starts at a time, none while leases are late (R12)."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.servers.processes import wait_until
from worker.lease.start_gate import StartGate


class Leases:
    """As the keeper of leases: one lease, and how much of it is left."""

    def __init__(self, left: float, *, lost: bool = False) -> None:
        self.left = left
        self.lost = lost

    def held(self) -> list[Any]:
        return [SimpleNamespace(lost=self.lost, remaining=lambda: self.left)]


def gate(leases: Leases, at_once: int = 4) -> StartGate:
    return StartGate(leases, 15.0, at_once=at_once)  # type: ignore[arg-type]


def pass_through(gates: StartGate, started: threading.Event) -> threading.Thread:
    def work() -> None:
        with gates.passing():
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_nothing_starts_while_a_lease_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    leases, started = Leases(left=5.0), threading.Event()

    def look_again(seconds: float) -> None:
        looks.append(seconds)
        assert not started.is_set()
        if len(looks) == 3:
            leases.left = 14.0

    monkeypatch.setattr("worker.lease.start_gate.time.sleep", look_again)
    pass_through(gate(leases), started).join(10)
    assert started.is_set()
    assert len(looks) == 3


def test_a_lease_that_is_lost_holds_up_nothing() -> None:
    started = threading.Event()
    pass_through(gate(Leases(left=-1.0, lost=True)), started).join(10)
    assert started.is_set()


def test_few_are_inside_at_a_time() -> None:
    gates, inside, leave = gate(Leases(15.0), at_once=2), [], threading.Event()

    def work() -> None:
        with gates.passing():
            inside.append(1)
            leave.wait(10)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(inside) == 2, what="two are inside")
    leave.set()
    for thread in threads:
        thread.join(10)
    assert len(inside) == 5
