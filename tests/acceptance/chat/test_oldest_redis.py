"""Turns on the oldest Redis that Holdfast supports; all other tests use the packaged server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.recording import answer
from tests.support.servers.old_redis import oldest_binary
from tests.support.servers.stack import Stack

WORDS = 300


@pytest.fixture(scope="module")
def old_stack() -> Iterator[Stack]:
    """Two workers, of which one can be killed."""
    made = Stack(redis=oldest_binary(), workers=2, LEASE_SECONDS=4)
    try:
        yield made.start()
    finally:
        made.stop()


def test_a_run_is_shown_in_the_middle_taken_over_and_stopped(
    old_stack: Stack, connect: Clients, session_id: str
) -> None:
    client, late = connect(old_stack), connect(old_stack)
    assert client.resume(session_id)["messages"] == []
    run_id = client.run(talk(WORDS, rate=50), session_id)
    client.wait_until(partial(client.deltas, run_id), what="some text")
    shown = late.resume(session_id)
    assert shown["isWorking"] is True
    old_stack.owner_of(run_id).kill()
    late.end(run_id, within=60)
    assert answer(shown, run_id) + late.deltas(run_id) == numbered(WORDS)
    assert_whole(client, run_id, WORDS)
    assert old_stack.run_row(run_id).takeovers == 1

    stopped = client.run(talk(1000, rate=50), session_id)
    client.wait_until(partial(client.deltas, stopped), what="some text")
    assert client.abort(session_id)["status"] == "stopping"
    assert client.end(stopped)["status"] == "aborted"
    assert old_stack.accidents() == []
