"""Fifty people at once: nobody misses a word, on one of each process and on several."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.recording import Recording
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.stack import TOKEN, Stack

RUNS = 50
TOKENS = 200
RATE = 50.0
WATCHED = 10  # of the sessions have a second tab
SHAPES = {"one-of-each": (1, 1), "three-webs-two-workers": (3, 2)}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture(scope="module", params=SHAPES)
def crowd_stack(request: pytest.FixtureRequest, kind: str) -> Iterator[Stack]:
    """A stack of each shape on each database."""
    web, workers = SHAPES[request.param]
    url, name = "", f"crowd_{web}_{workers}"
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database(name)
    made = Stack(database_url=url, web=web, workers=workers)
    try:
        yield made.start()
    finally:
        made.stop()
        if url:
            server.drop_database(name)


def test_fifty_runs_at_once_reach_every_client_whole_and_in_order(
    crowd_stack: Stack, connect: Clients, client_loop: ClientLoop
) -> None:
    writers = [SocketClient(client_loop, crowd_stack.url, TOKEN) for _ in range(RUNS)]
    tabs = [SocketClient(client_loop, crowd_stack.url, TOKEN) for _ in range(WATCHED)]
    try:
        client_loop.run_all([one.connecting() for one in (*writers, *tabs)])
        assert all(crowd_stack.sockets(process) for process in crowd_stack.web), "none is idle"
        client_loop.run_all(
            [tab.calling("resume", {"session_id": f"crowd-{n}"}) for n, tab in enumerate(tabs)]
        )
        asked = talk(TOKENS, RATE)
        answers = client_loop.run_all(
            [
                writer.calling("run", {"input": asked, "session_id": f"crowd-{n}"})
                for n, writer in enumerate(writers)
            ]
        )
        run_ids = [str(answer["run_id"]) for answer in answers]
        for recording, run_id in zip(
            (*writers, *tabs), (*run_ids, *run_ids[:WATCHED]), strict=True
        ):
            assert_whole(recording, run_id, TOKENS)
            assert_only(recording, run_id)
    finally:
        for one in (*writers, *tabs):
            one.disconnect()
    for run_id in run_ids:
        assert crowd_stack.stored_answer(run_id).strip() == numbered(TOKENS).strip()
    assert crowd_stack.gateway.record()["posts"] == RUNS
    owners = {crowd_stack.run_row(run_id).worker for run_id in run_ids}
    assert len(owners) == len(crowd_stack.workers), "every worker had some"
    assert crowd_stack.accidents() == []


def assert_only(recording: Recording, run_id: str) -> None:
    """Nothing of anybody else's."""
    assert {p["run_id"] for p in recording.all() if "run_id" in p} == {run_id}


def test_a_stop_on_another_web_process_ends_the_run_for_all(
    crowd_stack: Stack, connect: Clients
) -> None:
    writer = connect(crowd_stack)
    others = [connect(crowd_stack) for _ in range(6)]
    for other in others:
        other.resume("stopped-elsewhere")
    run_id = writer.run(talk(2000, 100), "stopped-elsewhere")
    for recording in (writer, *others):
        recording.wait_for("message.delta")
    assert others[-1].abort("stopped-elsewhere")["ok"]
    for recording in (writer, *others):
        assert recording.end(run_id)["finish_reason"] == "aborted"
        assert recording.deltas(run_id) == writer.deltas(run_id)
