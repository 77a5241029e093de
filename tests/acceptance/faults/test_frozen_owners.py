"""Workers that are frozen (SIGSTOP): others do what they should have done, and nothing twice."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from shared.db.models import AttemptRow
from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.chat.test_abort import assert_aborted
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module")
def frozen() -> Iterator[Stack]:
    """Two workers with short leases, impatient with gateways."""
    made = Stack(
        workers=2,
        LEASE_SECONDS=2,
        REAP_SECONDS=0.5,
        POST_TIMEOUT=3,
        POST_MARGIN=0.5,
        START_DEADLINE=5,
        STOP_TIMEOUT=3,
    )
    try:
        yield made.start()
    finally:
        made.stop()


def attempts_of(stack: Stack, run_id: str) -> list[AttemptRow]:
    query = select(AttemptRow).where(AttemptRow.run_id == run_id).order_by(AttemptRow.fence)
    return stack.read(lambda session: list(session.scalars(query)))


def test_a_gateway_is_stopped_at_once_though_the_owner_is_frozen(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    """Its lease is far from its end, so there is no takeover; it continues when it wakes up."""
    run_id = client.run(talk(2000, rate=50), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 5, what="some text")
    owner = stack.owner_of(run_id)
    owner.signal(signal.SIGSTOP)
    try:
        client.abort(session_id)
        wait_until(
            lambda: stack.posts(run_id)[0]["status"] == "cancelled",
            within=5,
            what="the gateway has stopped, though the owner does nothing",
        )
    finally:
        owner.signal(signal.SIGCONT)
    assert_aborted(client.end(run_id))
    assert client.names(run_id).count("abort.started") == 1
    assert stack.run_row(run_id).takeovers == 0


def test_a_stop_does_not_wait_for_a_frozen_owner(
    frozen: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, session_id = connect(frozen), new_session()
    run_id = client.run(talk(2000, rate=50), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 20, what="some text")
    owner = frozen.owner_of(run_id)
    owner.signal(signal.SIGSTOP)
    try:
        client.abort(session_id)
        wait_until(
            lambda: frozen.posts(run_id)[0]["status"] == "cancelled",
            within=3,
            what="the gateway has stopped, though the owner does nothing",
        )
        assert_aborted(client.end(run_id))
    finally:
        owner.signal(signal.SIGCONT)
    text = client.text(run_id).strip()
    assert numbered(2000).startswith(text)
    assert len(text) > 20
    assert client.names(run_id).count("run.completed") == 1


def test_a_sender_that_is_frozen_in_the_send_costs_a_second_post_that_is_counted(
    frozen: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, session_id = connect(frozen), new_session()
    frozen.gateway.faults(post_hold_seconds=9, count=1)
    posts = frozen.gateway.record()["posts"]
    run_id = client.run(talk(20), session_id)
    wait_until(lambda: frozen.gateway.record()["posts"] > posts, what="the post has arrived")
    owner = frozen.owner_of(run_id)
    owner.signal(signal.SIGSTOP)
    try:
        assert client.wait_for("run.retrying")["reason"] == "post_uncertain"
        assert_whole(client, run_id, 20)
        first, second = attempts_of(frozen, run_id)
        assert (first.proof, first.gateway_run_id, second.proof) == ("idle", None, None)
        wait_until(lambda: len(frozen.posts(run_id)) == 2, within=20, what="the held one begins")
    finally:
        owner.signal(signal.SIGCONT)
    wait_until(lambda: attempts_of(frozen, run_id)[0].double_post, within=25, what="it is counted")
    assert client.names(run_id).count("run.completed") == 1
    assert frozen.run_row(run_id).state == "completed"
