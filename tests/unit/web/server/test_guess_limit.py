"""Which addresses have presented many wrong tokens."""

from __future__ import annotations

from tests.unit.web.server.test_connection_table import Clock
from web.server import guess_limit
from web.server.guess_limit import GuessLimit


def test_some_wrong_tokens_are_free_and_come_back_with_time() -> None:
    clock = Clock()
    limit = GuessLimit(3, 10.0, clock)
    assert [limit.is_over("192.0.2.1") for _ in range(5)] == [False] * 3 + [True] * 2
    assert not limit.is_over("192.0.2.2")
    clock.now += 10.0
    assert limit.is_over("192.0.2.1")
    clock.now += 20.0
    assert not limit.is_over("192.0.2.1")


def test_only_so_many_addresses_are_remembered() -> None:
    limit = GuessLimit(1, 10.0, Clock())
    for number in range(guess_limit.KEPT + 5):
        limit.is_over(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit._spent) == guess_limit.KEPT


def test_guesses_side_by_side_wait_longer_each_and_those_of_others_do_not() -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) < 4:
            limit.delay("192.0.2.1")  # the next one comes meanwhile
            limit.delay("192.0.2.2")

    limit = GuessLimit(1, 10.0, Clock(), sleep)
    assert not limit.delay("192.0.2.1")
    assert limit.delay("192.0.2.1")
    assert slept[:4] == [1.0, 2.0, 3.0, 4.0]
    assert max(slept) <= guess_limit.LONGEST_DELAY
    assert not limit._waiting


def test_only_so_many_refusals_wait_at_once() -> None:
    most_at_once = 0

    def sleep(seconds: float) -> None:
        nonlocal most_at_once
        waiting = limit._waiting.total()
        most_at_once = max(most_at_once, waiting)
        if waiting <= guess_limit.WAITING_MOST:
            assert limit.delay(f"192.0.2.{waiting % 7}")  # the next one comes meanwhile

    limit = GuessLimit(0, 10.0, Clock(), sleep)
    assert limit.delay("192.0.2.1")
    assert most_at_once == guess_limit.WAITING_MOST
    assert limit.delay("192.0.2.1"), "and those that have ended give their places back"
    assert not limit._waiting


def test_it_says_when_one_more_guess_is_free() -> None:
    clock = Clock()
    limit = GuessLimit(2, 10.0, clock)
    assert limit.seconds_until_free("192.0.2.1") == 0.0
    for _ in range(3):
        limit.is_over("192.0.2.1")
    wait = limit.seconds_until_free("192.0.2.1")
    assert wait == 20.0
    clock.now += wait
    assert limit.seconds_until_free("192.0.2.1") == 0.0
    assert not limit.is_over("192.0.2.1")
