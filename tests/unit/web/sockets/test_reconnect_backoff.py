"""A slow socket that comes back at once is made to wait, longer each time (R31)."""

import time

import pytest

from web.sockets import reconnect_backoff
from web.sockets.reconnect_backoff import ReconnectBackoff


def test_each_drop_makes_the_next_look_wait_longer_up_to_a_limit() -> None:
    backoff, pauses = ReconnectBackoff(), []
    assert backoff.pause("s") == 0.0
    for _ in range(12):
        backoff.closed_slow(["s"])
        pauses.append(backoff.pause("s"))
    assert 0 < pauses[0] <= reconnect_backoff.FIRST
    assert reconnect_backoff.FIRST < pauses[2] <= 4 * reconnect_backoff.FIRST
    assert reconnect_backoff.MOST / 2 - 0.1 < pauses[-1] <= reconnect_backoff.MOST
    assert backoff.pause("another") == 0.0


def test_those_who_come_back_together_are_spread() -> None:
    backoff = ReconnectBackoff()
    for _ in range(10):
        backoff.closed_slow(["s"])
    assert len({round(backoff.pause("s"), 3) for _ in range(20)}) > 10


def test_what_was_dropped_long_ago_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    backoff = ReconnectBackoff()
    backoff.closed_slow(["s"])
    later = time.monotonic() + reconnect_backoff.RESET_AFTER + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert backoff.pause("s") == 0.0
    assert not backoff._closed


def test_no_more_sessions_are_remembered_than_that() -> None:
    backoff = ReconnectBackoff()
    backoff.closed_slow(str(n) for n in range(reconnect_backoff.SESSIONS_MAX + 50))
    assert len(backoff._closed) == reconnect_backoff.SESSIONS_MAX
