"""Token buckets: what is left of them, and when there is more."""

from __future__ import annotations

import pytest

from web.sockets.rate_limit import BURST_SECONDS, Budget, RateLimit, TooManyRequests


class Clock:
    """Seconds that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_name_may_use_at_once_what_it_did_not_use_before() -> None:
    clock = Clock()
    limit = RateLimit(2, clock)
    most = int(2 * BURST_SECONDS)
    assert [limit.allows("me") for _ in range(most + 1)] == [True] * most + [False]
    assert limit.allows("you")
    clock.now += 0.5
    assert [limit.allows("me"), limit.allows("me")] == [True, False]


def test_what_is_left_is_told_without_counting() -> None:
    clock = Clock()
    limit = RateLimit(2, clock)
    assert limit.budget("me") == limit.budget("me") == Budget(20, 20, 0.0, 0.0)
    for _ in range(5):
        limit.require("me")
    assert limit.budget("me") == Budget(20, 15, 2.5, 0.0)
    clock.now += 1.0
    assert limit.budget("me") == Budget(20, 17, 1.5, 0.0)


def test_who_is_refused_is_told_when_the_next_one_is_allowed() -> None:
    clock = Clock()
    limit = RateLimit(0.25, clock)
    limit.require("me")
    limit.require("me")
    with pytest.raises(TooManyRequests) as refused:
        limit.require("me")
    wait = refused.value.retry_after
    assert wait == pytest.approx(2.0)  # half a request is left of 2.5
    clock.now += wait - 0.01
    assert not limit.allows("me")
    clock.now += 0.01
    assert limit.allows("me")
