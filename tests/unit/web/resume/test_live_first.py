"""Who is shown first, of those that come at once."""

from __future__ import annotations

import threading
import time

import pytest

from shared.errors import DatabaseUnavailable
from tests.support.servers.processes import wait_until
from web.resume import live_first
from web.resume.live_first import AT_ONCE, Key, LiveFirst

LIVE = ("me", "live")


class Crowd:
    """Pages that are shown for as long as `closed` is not set."""

    def __init__(self, live: set[Key] | None) -> None:
        """`live`: the sessions with a live run; None: the database is away."""
        self.reads = 0
        self.shown: list[Key] = []
        self.closed: dict[int, threading.Event] = {}
        self._live = live
        self._threads: list[threading.Thread] = []
        self._order = LiveFirst(self._read)

    def come(self, *keys: Key, is_live: bool = False) -> None:
        for key in keys:
            number = len(self._threads)
            self.closed[number] = threading.Event()
            one = threading.Thread(target=self._show, args=(number, key, is_live), daemon=True)
            self._threads.append(one)
            one.start()
            wait_until(lambda: self._seen() == len(self._threads), what="it has come")

    def leave(self, number: int) -> None:
        """The page that came as this one is shown now."""
        self.closed[number].set()
        self._threads[number].join(5)

    def go(self) -> None:
        for number in self.closed:
            self.leave(number)

    def wait_for(self, count: int) -> None:
        wait_until(lambda: len(self.shown) == count, what="the next")

    def _seen(self) -> int:
        return len(self.shown) + len(self._order._waiting)

    def _read(self) -> set[Key]:
        self.reads += 1
        if self._live is None:
            raise DatabaseUnavailable
        return self._live

    def _show(self, number: int, key: Key, is_live: bool) -> None:
        with self._order.turn(key, is_live=is_live):
            self.shown.append(key)
            self.closed[number].wait(5)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nobody is out of patience, and one look is enough."""
    monkeypatch.setattr(live_first, "PATIENCE", 30.0)
    monkeypatch.setattr(live_first, "FRESH", 30.0)


def old(*numbers: int) -> list[Key]:
    return [("me", f"old{number}") for number in numbers]


@pytest.mark.usefixtures("patient")
def test_of_those_that_wait_the_live_ones_go_first_and_the_others_in_order() -> None:
    crowd = Crowd({LIVE})
    first = old(*range(AT_ONCE))
    crowd.come(*first, *old(10, 11), LIVE, *old(12))
    assert crowd.shown == first
    wait_until(lambda: crowd._order._live == {LIVE}, what="it is known")
    for number in range(4):
        crowd.leave(number)
        crowd.wait_for(AT_ONCE + number + 1)
    assert crowd.shown == [*first, LIVE, *old(10, 11, 12)]
    assert crowd.reads == 1
    crowd.go()


@pytest.mark.usefixtures("patient")
def test_one_that_was_in_the_middle_of_an_answer_goes_first_though_the_run_has_ended() -> None:
    crowd = Crowd(set())
    first = old(*range(AT_ONCE))
    crowd.come(*first, *old(10))
    crowd.come(LIVE, is_live=True)
    crowd.leave(0)
    crowd.wait_for(AT_ONCE + 1)
    assert crowd.shown == [*first, LIVE]
    crowd.go()


@pytest.mark.usefixtures("patient")
def test_while_few_come_nobody_waits_and_nothing_is_read() -> None:
    crowd = Crowd({LIVE})
    for _ in range(3):
        crowd.come(*old(*range(AT_ONCE)))
        crowd.go()
    assert (len(crowd.shown), crowd.reads) == (3 * AT_ONCE, 0)


@pytest.mark.usefixtures("patient")
def test_a_place_is_free_again_when_showing_fails() -> None:
    order = LiveFirst(set)
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError), order.turn(LIVE):
            1 / 0  # noqa: B018
    assert order._shown == 0


@pytest.mark.usefixtures("patient")
def test_without_a_database_they_go_in_order() -> None:
    crowd = Crowd(None)
    crowd.come(*old(*range(AT_ONCE + 1)), LIVE)
    crowd.leave(0)
    crowd.wait_for(AT_ONCE + 1)
    assert crowd.shown == old(*range(AT_ONCE + 1))
    crowd.go()


def test_nobody_waits_for_long_however_long_the_others_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_first, "PATIENCE", 0.2)
    crowd = Crowd({LIVE})
    crowd.come(*old(*range(AT_ONCE)))
    began = time.monotonic()
    crowd.come(LIVE)
    wait_until(lambda: LIVE in crowd.shown, what="it goes without a place")
    assert time.monotonic() - began >= 0.2
    assert crowd._order._shown == AT_ONCE + 1, "nobody has left for it"
    crowd.go()
    crowd.come(*old(*range(AT_ONCE)))
    assert len(crowd.shown) == 2 * AT_ONCE + 1, "all places are free again"
    crowd.go()
