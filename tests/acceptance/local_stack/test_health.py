"""What a web process says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.acceptance.answers import numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.servers.postgres import PostgresServer, find_binaries
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

PARTS = {"database", "redis", "relay"}


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A server that may be stopped without harm to other tests."""
    found = find_binaries()
    if found is None:
        pytest.skip("no PostgreSQL")
    server = PostgresServer(found)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def frail(own_postgres: PostgresServer) -> Iterator[Stack]:
    """A stack whose servers are stopped by its tests."""
    made = Stack(database_url=own_postgres.create_database("frail"), REAP_SECONDS=0.5)
    try:
        yield made.start()
    finally:
        made.stop()


def ready(stack: Stack, status: int) -> dict[str, str]:
    """The parts in the answer of `/readyz`, once it has this status."""

    def parts() -> dict[str, str] | None:
        answer = requests.get(f"{stack.url}/readyz", timeout=10)
        parts: dict[str, str] = answer.json()
        return parts if answer.status_code == status else None

    return wait_until(parts, within=30, what=f"/readyz answers {status}") or {}


def failing(parts: dict[str, str]) -> set[str]:
    return {part for part in PARTS if parts[part] != "ok"}


def alive(stack: Stack) -> bool:
    return requests.get(f"{stack.url}/healthz", timeout=5).status_code == 200


def test_a_well_process_is_alive_and_ready(frail: Stack) -> None:
    assert alive(frail)
    parts = ready(frail, 200)
    assert failing(parts) == set()
    assert set(parts) >= PARTS


def test_without_redis_it_is_alive_but_not_ready_and_recovers(
    frail: Stack, connect: Clients
) -> None:
    frail.redis.kill()
    assert "redis" in failing(ready(frail, 503))
    assert alive(frail)
    frail.redis.restart()
    assert failing(ready(frail, 200)) == set()
    client = connect(frail)
    run_id = client.run(talk(20), "after-redis")
    assert client.end(run_id, within=40)["status"] == "completed"
    assert client.deltas(run_id) == numbered(20)


def test_without_the_database_it_is_alive_but_not_ready_and_recovers(
    frail: Stack, own_postgres: PostgresServer, connect: Clients
) -> None:
    client = connect(frail)
    own_postgres.kill()
    assert failing(ready(frail, 503)) == {"database"}
    assert alive(frail)
    refused = client.call("run", {"input": talk(5), "session_id": "without-database"})
    assert refused["error"]["code"] == "database_unavailable"
    assert client.resume("without-database")["degraded"] is True
    own_postgres.restart()
    assert failing(ready(frail, 200)) == set()
    run_id = client.run(talk(20), "after-database")
    assert client.end(run_id, within=40)["status"] == "completed"
    assert client.deltas(run_id) == numbered(20)
