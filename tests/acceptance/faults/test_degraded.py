"""Redis or the database away, full, locked: what is refused, what goes on, how soon it is well."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import requests

from tests.acceptance.answers import assert_whole, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.servers.postgres import PostgresServer, find_binaries
from tests.support.servers.stack import TOKEN, Stack

log = logging.getLogger(__name__)

ANSWERED_WITHIN = 7.0  # seconds
PAUSE_MOST = 5.0  # seconds from Redis' return to the next word


@pytest.fixture(scope="module")
def weak() -> Iterator[Stack]:
    """One of each role, on SQLite."""
    made = Stack()
    try:
        yield made.start()
    finally:
        made.stop()


def refused(stack: Stack, client: SocketClient, session_id: str, code: str) -> None:
    """A new run is refused with this code, soon, on a socket and over HTTP."""
    payload = {"input": "x", "session_id": session_id}
    by_socket = partial(client.call, "run", payload)
    for ask in (by_socket, partial(by_http, stack, payload)):
        asked_at = time.monotonic()
        answer = ask()
        assert answer["ok"] is False, answer
        assert answer["error"]["code"] == code
        assert time.monotonic() - asked_at < ANSWERED_WITHIN


def by_http(stack: Stack, payload: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(
        f"{stack.url}/runs",
        json=payload,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=20,
    )
    assert answer.status_code == 503
    body: dict[str, Any] = answer.json()
    return body


def some_text(client: SocketClient, run_id: str) -> None:
    known = len(client.deltas(run_id))
    client.wait_until(lambda: len(client.deltas(run_id)) > known + 50, what="more text")


def next_word(client: SocketClient, since: int, run_id: str) -> float:
    """When the first delta of the run came after that mark of the record."""

    def delta_times() -> list[float]:
        late = list(client.received[since:])
        return [h.at for h in late if h.name == "message.delta" and h.payload["run_id"] == run_id]

    client.wait_until(delta_times, what="a word")
    return delta_times()[0]


def test_while_redis_is_away_new_runs_are_refused_and_live_ones_go_on(
    weak: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, session_id = connect(weak), new_session()
    run_id = client.run(talk(900, rate=60), session_id)
    stopped = client.run(talk(3000, rate=60), other := new_session())
    some_text(client, stopped)
    some_text(client, run_id)
    weak.redis.terminate()
    refused(weak, client, new_session(), "redis_unavailable")
    shown = client.call("resume", {"session_id": session_id})
    assert shown["ok"], shown
    aborted = client.abort(other)
    assert aborted["ok"], "a stop is written down, whatever is away"
    mark = client.mark()
    weak.redis.restart()
    back_at = time.monotonic()
    pause = next_word(client, mark, run_id) - back_at
    late = client.run(talk(5), new_session())
    client.wait_for("run.started", lambda p: p["run_id"] == late, within=10)
    started = time.monotonic() - back_at
    log.info("measured: pause after Redis is back: %.2f", pause)
    log.info("measured: a new run starts after: %.2f", started)
    assert pause <= PAUSE_MOST
    assert_whole(client, late, 5)
    assert client.end(stopped)["event"] == "run.completed"
    client.end(run_id, within=40)
    assert client.text(run_id).split() == [f"t{n}" for n in range(1, 901)]
    assert weak.run_row(run_id).fence == 1


@pytest.mark.parametrize("name", ["maxmemory", "min-replicas-to-write"])
def test_a_redis_that_takes_no_writes_is_away(
    weak: Stack, connect: Clients, new_session: Callable[[], str], name: str
) -> None:
    client = connect(weak)
    run_id = client.run(talk(400, rate=60), new_session())
    some_text(client, run_id)
    with weak.redis.client() as redis:
        redis.config_set(name, 1)
        try:
            refused(weak, client, new_session(), "redis_unavailable")
        finally:
            redis.config_set(name, 0)
    some_text(client, run_id)
    assert_whole(client, run_id, 400)
    assert_whole(client, client.run(talk(5), new_session()), 5)


def test_a_database_that_is_locked_for_long_refuses_in_time_and_costs_no_word(
    weak: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(weak)
    run_id = client.run(talk(900, rate=60), new_session())
    some_text(client, run_id)
    other = sqlite3.connect(weak.folder / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        refused(weak, client, new_session(), "database_unavailable")
        some_text(client, run_id)
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert_whole(client, run_id, 900)
    assert weak.run_row(run_id).fence == 1
    assert_whole(client, client.run(talk(5), new_session()), 5)


@pytest.fixture(scope="module")
def postgres_of_its_own() -> Iterator[PostgresServer]:
    """A server that tests may kill."""
    found = find_binaries()
    if found is None:
        pytest.skip("no PostgreSQL")
    server = PostgresServer(found)
    yield server
    server.stop()


@pytest.fixture
def on_postgres(postgres_of_its_own: PostgresServer) -> Iterator[Stack]:
    """Leases so short that the outage is longer: a storm would be seen."""
    made = Stack(
        database_url=postgres_of_its_own.create_database("away"),
        workers=2,
        LEASE_SECONDS=2,
        REAP_SECONDS=0.3,
    )
    try:
        yield made.start()
    finally:
        made.stop()


def test_a_database_that_is_restarted_costs_no_word_and_no_takeover(
    on_postgres: Stack, postgres_of_its_own: PostgresServer, connect: Clients
) -> None:
    client = connect(on_postgres)
    runs = [client.run(talk(800, rate=60), f"s{n}") for n in range(4)]
    for run_id in runs:
        some_text(client, run_id)
    postgres_of_its_own.kill()
    refused(on_postgres, client, "new", "database_unavailable")
    some_text(client, runs[0])
    time.sleep(3)  # longer than a lease
    some_text(client, runs[0])
    postgres_of_its_own.restart()
    for run_id in runs:
        assert_whole(client, run_id, 800)
        row = on_postgres.run_row(run_id)
        assert (row.fence, row.takeovers) == (1, 0)
        assert [m.role for m in on_postgres.messages(run_id)] == ["user", "assistant"]
    assert_whole(client, client.run(talk(5), "new"), 5)
