"""What one connection may send."""

import pytest

from web.sockets.bucket import Bucket


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: at[0])
    return at


def test_a_burst_is_free_and_more_costs_time(now: list[float]) -> None:
    limit = Bucket(10.0, 50.0)
    assert limit.take(50) == 0.0
    assert limit.take(5) == 0.5
    now[0] += 0.5
    assert limit.take(10) == 1.0


def test_no_more_than_the_burst_is_saved(now: list[float]) -> None:
    limit = Bucket(10.0, 50.0)
    limit.take(50)
    now[0] += 1000
    assert limit.take(60) == 1.0


def test_who_is_known_may_send_more_at_once(now: list[float]) -> None:
    limit = Bucket(10.0, 50.0)
    limit.take(50)
    limit.widen(200.0, 2000.0)
    assert limit.take(1950) == 0.0
    assert limit.take(20) == 0.1
