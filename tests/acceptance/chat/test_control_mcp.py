"""`hermes-control-mcp`, a client of the gateway's API, unchanged: only its URL and key are ours."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.answers import numbered, talk
from tests.conftest import UNDER_CI
from tests.support.clients.control_mcp.bridge import LOCK, NAME, Bridge
from tests.support.http_api import ApiClient
from tests.support.locked_environment import InstallError, locked_environment
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import TOKEN, Stack


@pytest.fixture(scope="module")
def installed() -> None:
    """Without the client tests are skipped, but under CI they fail."""
    try:
        locked_environment(NAME, LOCK)
    except InstallError as error:
        if UNDER_CI:
            raise
        pytest.skip(f"{NAME} could not be installed: {error}")


@pytest.fixture
def bridge(stack: Stack, tmp_path: Path, installed: None) -> Iterator[Bridge]:
    keys = {"closed": TOKEN}
    with Bridge(stack.url, TOKEN, tmp_path, profile_keys=keys) as running:
        yield running


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(one["delta"] for one in events if one["event"] == "message.delta")


def test_it_finds_a_gateway_that_it_knows(bridge: Bridge) -> None:
    found = bridge.call("bridge_health")
    assert (found["ok"], found["status"]) == (True, "healthy")
    assert found["health"]["platform"] == "hermes-agent"
    assert [one["id"] for one in found["models"]["data"]] == ["demo-model"]
    assert found["capabilities"]["features"]["run_submission"] is True


def test_a_run_is_started_once_awaited_and_read_twice(
    bridge: Bridge, stack: Stack, session_id: str
) -> None:
    request = {"lane": session_id, "prompt": talk(50), "session_id": session_id}
    started = [bridge.call("run_start", **request, request_id=f"r-{session_id}") for _ in range(2)]
    run_id = started[0]["run_id"]
    assert [one["run_id"] for one in started] == [run_id, run_id]
    ended = bridge.call("run_wait", run_id=run_id)
    assert (ended["status"], ended["answer"]) == ("completed", numbered(50))
    for _ in range(2):
        read = bridge.call("run_events", run_id=run_id)
        assert (read["status"], text_of(read["events"])) == ("completed", numbered(50))
    assert len(stack.posts(run_id)) == 1


def test_a_run_is_stopped(bridge: Bridge, stack: Stack, session_id: str) -> None:
    started = bridge.call("run_start", lane=session_id, prompt=talk(3000, rate=100))
    wait_until(
        lambda: bridge.call("run_status", lane=session_id)["status"] == "running", what="the run"
    )
    assert bridge.call("run_stop", lane=session_id)["status"] == "stopping"
    assert bridge.call("run_wait", run_id=started["run_id"])["status"] == "cancelled"
    read = bridge.call("run_events", run_id=started["run_id"])
    assert read["events"][-1]["event"] == "run.cancelled"


def test_a_profile_is_named_by_the_path(bridge: Bridge, session_id: str) -> None:
    started = bridge.call("run_start", lane=session_id, prompt="hello", profile="closed")
    ended = bridge.call("run_wait", lane=session_id, profile="closed")
    assert (ended["run_id"], ended["status"]) == (started["run_id"], "failed")
    health = bridge.call("bridge_health", profile="closed")
    assert health["error_code"] == "gateway_unreachable"


def test_nothing_is_lost_or_doubled_when_the_web_process_is_killed(
    bridge: Bridge, stack: Stack, session_id: str
) -> None:
    request = {"lane": session_id, "prompt": talk(200, rate=50), "session_id": session_id}
    run_id = bridge.call("run_start", **request, request_id=f"r-{session_id}")["run_id"]
    watcher = ApiClient(stack.url, TOKEN).events(run_id)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(bridge.call, "run_events", run_id=run_id)
        watcher.until("message.delta", count=20)
        assert not reading.done()
        stack.restart_web(0, signal.SIGKILL)
        assert reading.result()["ok"] is False  # its stream was cut
    again = bridge.call("run_start", **request, request_id=f"r-{session_id}")
    assert again["run_id"] == run_id
    read = bridge.call("run_events", run_id=run_id)
    assert (read["status"], text_of(read["events"])) == ("completed", numbered(200))
    ended = bridge.call("run_wait", run_id=run_id)
    assert (ended["status"], ended["answer"]) == ("completed", numbered(200))
    assert stack.stored_answer(run_id) == numbered(200)
    assert len(stack.posts(run_id)) == 1


def test_the_history_of_a_session_is_read(bridge: Bridge, session_id: str) -> None:
    request = {"lane": session_id, "prompt": talk(5), "session_id": session_id}
    bridge.call("run_wait", run_id=bridge.call("run_start", **request)["run_id"])
    found = bridge.call("session_history", session_id=session_id)
    assert [one["role"] for one in found["messages"]] == ["user", "assistant"]
    assert found["messages"][1]["content"] == numbered(5)
