"""Logs and notifications on two Redis servers: both are used, and each fails alone (ADR 0013)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from shared.event_log.keys import feed_tag
from shared.event_log.shards import shard_of
from tests.acceptance.answers import assert_whole, talk
from tests.acceptance.conftest import Clients
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module")
def servers() -> Iterator[list[RedisServer]]:
    """Two of them, besides the one that has the broker."""
    made = [RedisServer(), RedisServer()]
    yield made
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def spread(servers: list[RedisServer]) -> Iterator[Stack]:
    """One of each role."""
    made = Stack(LOG_REDIS_URLS=",".join(server.url for server in servers))
    try:
        yield made.start()
    finally:
        made.stop()


def session_on(server: int) -> str:
    """A new session whose logs are on that server."""
    while True:
        name = uuid.uuid4().hex
        if shard_of(feed_tag("default", name, ""), 2) == server:
            return name


def logs(server: RedisServer) -> int:
    with server.client() as client:
        return len(client.keys("hf:*:log:*"))


def test_each_session_has_its_logs_on_one_server(
    spread: Stack, servers: list[RedisServer], connect: Clients
) -> None:
    client = connect(spread)
    for number, server in enumerate(servers):
        before = [logs(each) for each in servers]
        run_id = client.run(talk(20), session_on(number))
        assert_whole(client, run_id, 20)
        before[number] += 1
        assert [logs(each) for each in servers] == before, server.port
    assert logs(spread.redis) == 0


def test_a_server_that_is_away_silences_only_its_own_sessions(
    spread: Stack, servers: list[RedisServer], connect: Clients
) -> None:
    client = connect(spread)
    here, there = (client.run(talk(200, rate=50), session_on(number)) for number in (0, 1))
    client.wait_until(lambda: len(client.deltas(there)) > 100, what="text of both")
    servers[1].terminate()
    assert_whole(client, here, 200)  # live, while the other one is away
    before = client.deltas(there)
    servers[1].restart()
    assert_whole(client, there, 200)
    assert len(before) < len(client.deltas(there))
