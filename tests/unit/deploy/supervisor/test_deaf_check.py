"""Which process no longer answers (A15)."""

import random

from hypothesis import given
from hypothesis import strategies as st

from deploy.supervisor.deaf_check import LEAST, DeafCheck, requests_until_deaf


def test_one_that_is_alone_is_deaf_after_some_failures_in_a_row() -> None:
    check = DeafCheck()
    check.note([1], [], 1)
    for _ in range(LEAST - 1):
        assert check.note([1], [], None) == set()
    assert check.note([1], [], None) == {1}


def test_an_answer_in_between_begins_the_count_anew() -> None:
    check = DeafCheck()
    for heard in ([None] * (LEAST - 1) + [1]) * 5:
        assert check.note([1], [], heard) == set()


def test_one_that_starts_is_given_its_time() -> None:
    check = DeafCheck()
    for _ in range(10 * LEAST):
        assert check.note([1], [1], None) == set()


def test_one_that_answered_and_then_stopped_is_deaf_also_soon_after_its_start() -> None:
    check = DeafCheck()
    check.note([1], [1], 1)
    found = [check.note([1], [1], None) for _ in range(LEAST)]
    assert found[-1] == {1}


@given(st.integers(2, 8), st.integers())
def test_of_several_the_deaf_one_is_found_and_no_other(count: int, seed: int) -> None:
    chance = random.Random(seed)
    check, pids = DeafCheck(), list(range(1, count + 1))
    for _ in range(requests_until_deaf(count)):
        found = check.note(pids, [], chance.choice(pids[1:]))
    assert found == {1}


def test_an_answer_of_somebody_else_says_nothing() -> None:
    check = DeafCheck()
    for heard in [None] * (LEAST - 1) + [0] + [None] * (LEAST - 1):
        assert check.note([1], [], heard) == set()


def test_a_new_process_does_not_inherit_the_count() -> None:
    check = DeafCheck()
    for _ in range(LEAST):
        check.note([1], [], None)
    assert check.note([2], [], None) == set()
