"""A sample of random input (`python -m tests.fuzz` sends as much as one likes): whatever strangers
send, the process stays, others are served, and nothing is logged as an accident (C26, A5)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.abuse.observe import use_of
from tests.fuzz.check import Watched
from tests.fuzz.drive import KINDS, send

COUNT = 500
SEED = 20261127
FILES = 40  # that another user and the last connections may hold
LOGGED = 10  # bytes of log for each input, at most


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with Watched() as started:
        yield started


@pytest.mark.parametrize("kind", KINDS)
def test_random_input_breaks_nothing(watched: Watched, kind: str) -> None:
    before, written = use_of(watched.pid), watched.log_bytes()
    send(watched.address, kind, COUNT, SEED, watched.token)
    _, faults = watched.look()
    assert faults == []
    assert use_of(watched.pid).files < before.files + FILES
    assert watched.log_bytes() - written < LOGGED * COUNT


def test_the_look_notices_a_process_that_does_not_answer_and_one_that_ended() -> None:
    with Watched() as watched:
        watched.suspend()
        _, faults = watched.look()
        watched.resume()
        assert faults
        assert "another user is not served" in faults[0]
        watched.kill()
        assert watched.look()[1] == ["the process ended with -9"]
