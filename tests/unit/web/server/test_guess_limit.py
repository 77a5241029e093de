"""How often an address may present a wrong token."""

from __future__ import annotations

from tests.unit.web.server.test_door import Clock
from web.server import guess_limit
from web.server.guess_limit import GuessLimit


def test_some_wrong_tokens_are_free_then_the_address_waits() -> None:
    clock = Clock()
    limit = GuessLimit(3, 10.0, clock)
    for _ in range(3):
        assert limit.wait("192.0.2.1") == 0
        limit.was_wrong("192.0.2.1")
    assert limit.wait("192.0.2.1") == 10.0
    assert limit.wait("192.0.2.2") == 0
    clock.now += 10.0
    assert limit.wait("192.0.2.1") == 0
    limit.was_wrong("192.0.2.1")
    assert limit.wait("192.0.2.1") == 10.0


def test_many_wrong_tokens_cost_no_more_than_the_burst() -> None:
    clock = Clock()
    limit = GuessLimit(3, 10.0, clock)
    for _ in range(100):
        limit.was_wrong("192.0.2.1")
    assert limit.wait("192.0.2.1") == 10.0


def test_only_so_many_addresses_are_remembered() -> None:
    limit = GuessLimit(1, 10.0, Clock())
    for number in range(guess_limit.KEPT + 5):
        limit.was_wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit._spent) == guess_limit.KEPT
