"""What an operator sees in the real Flower: runs by name and outcome, and no ticks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.acceptance.conftest import Clients
from tests.support.gateways.demo_gateway import scripted
from tests.support.servers.flower import Flower
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module")
def watched() -> Iterator[Stack]:
    """A stack of its own."""
    made = Stack(STOP_TIMEOUT=3)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def flower(watched: Stack) -> Flower:
    """Flower at that stack."""
    return Flower(watched)


def test_runs_are_named_and_end_in_flower_as_they_ended(
    watched: Stack, flower: Flower, connect: Clients
) -> None:
    client = connect(watched)
    whole = client.run(scripted(say="fine", rate=0), "first")
    client.end(whole)
    failed = client.run(scripted(say="half", rate=0, end="failed"), "second")
    client.end(failed)
    stopped = client.run(scripted(tokens=1000, rate=10), "third")
    client.wait_for("message.delta", lambda event: event["run_id"] == stopped)
    client.abort("third")
    client.end(stopped)
    done = flower.run(whole, "SUCCESS")
    assert done["result"] == "'completed'"
    assert done["kwargs"] == "session='first' profile='default' owner='default'"
    assert "RunFailed('gateway_error" in flower.run(failed, "FAILURE")["exception"]
    assert "RunAborted('aborted" in flower.run(stopped, "FAILURE")["exception"]
    assert watched.accidents() == []
    names = {one["name"] for one in flower.tasks()}
    assert not names & {"holdfast.reap", "holdfast.chase", "holdfast.add_search_terms", None}


def test_only_who_has_the_token_may_look(flower: Flower) -> None:
    for path in ("/api/tasks", "/api/workers", "/tasks"):
        assert requests.get(f"{flower.url}{path}", timeout=10).status_code == 401
        wrong = requests.get(f"{flower.url}{path}", auth=("holdfast", "wrong"), timeout=10)
        assert wrong.status_code == 401


def test_the_list_is_there_after_a_restart(
    watched: Stack, flower: Flower, connect: Clients
) -> None:
    client = connect(watched)
    run_id = client.run(scripted(say="kept", rate=0), "kept")
    client.end(run_id)
    before = flower.run(run_id, "SUCCESS")
    flower.process.signal(15)
    flower.process.wait()
    flower.process = flower.start()
    assert json.dumps(flower.run(run_id, "SUCCESS")) == json.dumps(before)
