"""From nothing to a conversation with one command, as `make run` does it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.local_stack.up_stack import UpStack
from tests.support.clients.js_client import JsClient
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.recording import answer
from tests.support.servers.processes import Processes, is_alive, wait_until

SESSION = "first-conversation"


@pytest.fixture
def up(processes: Processes, tmp_path: Path) -> Iterator[UpStack]:
    """An empty home; whatever runs on it is ended after the test."""
    stack = UpStack(processes, tmp_path)
    yield stack
    processes.stop_all()
    wait_until(lambda: not stack.command_lines(), within=20, what="nothing is left")


def test_one_command_in_an_empty_home_answers_survives_a_lost_web_process_and_leaves_nothing(
    up: UpStack, client_loop: ClientLoop, javascript: None
) -> None:
    up.start()
    client = SocketClient(client_loop, up.url, up.token, protocol=2, reconnection=True).connect()
    with JsClient("driver.js", up.url, up.token) as page:
        first = client.run(talk(20), SESSION)
        assert_whole(client, first, 20)
        second = client.run(talk(400, rate=20), SESSION)  # longer than a slow start of web
        page.acknowledged("resume", {"session_id": SESSION})
        kill_the_web_process(up, (client, page), second)
        shown = client.resume(SESSION)
        assert shown["isWorking"] is True
        page.acknowledged("resume", {"session_id": SESSION})
        for recording in (client, page):
            assert recording.end(second)["status"] == "completed"
            assert recording.text(second) == numbered(400)
    client.disconnect()
    family = up.family()
    assert len(family) >= 6, "supervisor, gateway, redis, web, worker, maintenance, beat"
    up.supervisor.signal(signal.SIGINT)
    assert up.supervisor.wait(within=30) == 0
    assert up.command_lines() == {}
    assert [pid for pid in family if is_alive(pid)] == []
    up.start()
    again = SocketClient(client_loop, up.url, up.token).connect()
    found = again.resume(SESSION)
    again.disconnect()
    assert [m["role"] for m in found["messages"]] == ["user", "assistant"] * 2
    assert answer(found, second).strip() == numbered(400).strip()


def kill_the_web_process(
    up: UpStack, clients: tuple[SocketClient | JsClient, ...], run_id: str
) -> None:
    """In mid-run; the supervisor starts another one, and the clients come back by themselves."""
    for recording in clients:
        recording.wait_until(partial(recording.deltas, run_id), what="some text")
    marks = [recording.mark() for recording in clients]
    old = up.web()
    os.kill(old, signal.SIGKILL)
    for recording, mark in zip(clients, marks, strict=True):
        recording.wait_for("disconnect", since=mark)
        recording.wait_for("connect", since=mark)
    assert up.web() not in (0, old)
    assert not any(recording.all("run.completed", run_id=run_id) for recording in clients)
