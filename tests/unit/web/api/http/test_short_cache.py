"""Answers that are kept for some seconds."""

from __future__ import annotations

from functools import partial

from web.api.http.operations.runs_page.short_cache import ShortCache


def test_an_answer_is_kept_so_long_and_no_longer() -> None:
    now = [0.0]
    cache: ShortCache[int] = ShortCache(clock=lambda: now[0])
    assert cache.get("a", 5, lambda: 1) == 1
    now[0] = 4.9
    assert cache.get("a", 5, lambda: 2) == 1
    assert cache.get("b", 5, lambda: 3) == 3
    now[0] = 5.1
    assert cache.get("a", 5, lambda: 4) == 4


def test_no_more_are_kept_than_there_is_room_for() -> None:
    cache: ShortCache[int] = ShortCache(most=2)
    for key in (1, 2, 1, 3):
        cache.get(key, 99, partial(int, key))
    assert cache.get(1, 99, lambda: -1) == 1
    assert cache.get(2, 99, lambda: -1) == -1
