"""A Redis that forgets everything, with the owners of runs alive and with one that dies, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.recording import answer
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Stack]:
    """One of each role, with short leases."""
    made = Stack(LEASE_SECONDS=3, REAP_SECONDS=0.5)
    try:
        yield made.start()
    finally:
        made.stop()


def test_a_redis_that_is_emptied_costs_no_word_while_the_owner_lives(
    forgetful: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, tab, session_id = connect(forgetful), connect(forgetful), new_session()
    tab.resume(session_id)
    run_id = client.run(talk(300, rate=100), session_id)
    for share in (50, 200, 500):
        client.wait_until(lambda share=share: len(client.deltas(run_id)) > share, what="text")  # type: ignore[misc]
        forgetful.redis.flush()
    for recording in (client, tab):
        assert_whole(recording, run_id, 300)
        assert {p["epoch"] for p in recording.all(run_id=run_id) if "epoch" in p} == {1}
    assert forgetful.run_row(run_id).fence == 1
    assert forgetful.stored_answer(run_id).split() == numbered(300).split()
    assert_whole(client, client.run(talk(5), session_id), 5)


def test_a_redis_that_is_emptied_while_the_owner_dies_costs_a_resync_and_no_word(
    forgetful: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, session_id = connect(forgetful), new_session()
    run_id = client.run(talk(300, rate=100), session_id)
    behind = client.run(talk(5), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 300, what="some text")
    forgetful.wait_for_row(run_id, state="running")
    (owner,) = forgetful.workers
    owner.kill()
    forgetful.workers.remove(owner)
    elsewhere = client.run(talk(5), new_session())
    forgetful.redis.flush()
    forgetful.add_worker()
    end = client.end(run_id, within=60)
    assert (end["status"], end["resync"]) == ("completed", True)
    assert client.all("session.resync")
    assert client.text(run_id).split() == numbered(300).split()
    assert forgetful.stored_answer(run_id).split() == numbered(300).split()
    assert len(forgetful.posts(run_id)) == 1
    shown = connect(forgetful).resume(session_id)
    assert answer(shown, run_id).split() == numbered(300).split()
    for waiting in (behind, elsewhere):
        assert client.end(waiting, within=60)["status"] == "completed"
        # The end may come first, and the text with the resync right behind it.
        client.wait_until(
            lambda of=waiting: client.text(of).split() == numbered(5).split(),  # type: ignore[misc]
            what="the whole text",
        )
