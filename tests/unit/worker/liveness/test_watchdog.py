"""The watchdog ends a process that is deaf or has lost a loop, once, and then for good."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from worker.liveness.silence import Silence
from worker.liveness.watchdog import Watchdog


@dataclass
class FakeEar:
    """A broker that takes messages, and a pool."""

    takes: bool = True
    is_full: bool = False
    sent: int = 0

    def send(self) -> bool:
        self.sent += 1
        return self.takes


@dataclass
class Fakes:
    """A watchdog whose process was silent for as long as `silent` says, and what it did."""

    ear: FakeEar = field(default_factory=FakeEar)
    silent: float = 100.0
    dead: list[str] = field(default_factory=list)
    stopping: bool = False
    grace: float = 1000.0
    ends: list[str] = field(default_factory=list)

    def watchdog(self) -> Watchdog:
        now = time.monotonic()
        silence = Silence(20, now - self.silent)
        for ago in range(int(self.silent), 0, -5):
            silence.asked(now - ago, answered=True)
        return Watchdog(
            self.ear,
            silence,
            grace=self.grace,
            dead_loops=lambda: self.dead,
            is_stopping=lambda: self.stopping,
            end=lambda: self.ends.append("end"),
            end_hard=lambda: self.ends.append("hard"),
        )


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({}, ["end"]),
        ({"silent": 5.0}, []),
        ({"ear": FakeEar(takes=False)}, []),
        ({"ear": FakeEar(is_full=True)}, []),
        ({"stopping": True}, []),
        ({"silent": 0.0, "dead": ["publisher"]}, ["end"]),
        ({"silent": 0.0, "dead": ["publisher"], "stopping": True}, []),
    ],
)
def test_a_process_is_ended_if_it_is_deaf_or_lost_a_loop(given: Any, ends: list[str]) -> None:
    fakes = Fakes(**given)
    fakes.watchdog().check()
    assert fakes.ends == ends


def test_it_is_asked_once_and_ended_for_good_after_its_grace() -> None:
    fakes = Fakes()
    watchdog = fakes.watchdog()
    for _ in range(3):
        watchdog.check()
    assert fakes.ends == ["end"]
    stuck = Fakes(grace=-1.0)
    watchdog = stuck.watchdog()
    for _ in range(2):
        watchdog.check()
    assert stuck.ends == ["end", "hard"]


def test_one_that_others_asked_to_stop_is_ended_for_good_after_its_grace() -> None:
    patient, stuck = Fakes(stopping=True), Fakes(stopping=True, grace=-1.0)
    for fakes in (patient, stuck):
        watchdog = fakes.watchdog()
        for _ in range(2):
            watchdog.check()
    assert (patient.ends, stuck.ends) == ([], ["hard"])
