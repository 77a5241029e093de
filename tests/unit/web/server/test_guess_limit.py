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
