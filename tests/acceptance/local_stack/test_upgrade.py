"""A home made by the version before goes on under this one: what is stored, live and waiting.

`previous-version.tar.xz` holds the packages of that version (commit 90c7d9e) without the
vocabulary, which has not changed:

    git archive COMMIT web worker shared deploy ':(exclude)shared/vocabulary/*.tiktoken' | xz -9e
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from shared.conversation.tokens import VOCABULARY
from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.local_stack.test_up import processes_of
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.earlier_release import unpack_release
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.servers.processes import Processes, RunningProcess, wait_until

ARCHIVE = Path(__file__).with_name("previous-version.tar.xz")
# What the caller's environment must not decide for the stack.
THEIRS = ("REDIS_URL", "DATABASE_URL", "AUTH_TOKEN", "AUTH_DISABLED", "HERMES_API_KEY")


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The tree of the version before."""
    tree = unpack_release(ARCHIVE, tmp_path / "previous")
    shutil.copy(VOCABULARY, tree / "shared" / "vocabulary" / VOCABULARY.name)
    return tree


@pytest.fixture
def demo() -> Iterator[DemoGateway]:
    """A gateway that outlives the stacks."""
    with DemoGateway.start(max_runs=0) as gateway:
        yield gateway


@pytest.fixture
def sockets() -> Iterator[ClientLoop]:
    loop = ClientLoop()
    yield loop
    loop.stop()


class Home:
    """One home on one port, under whichever version is started on it."""

    def __init__(self, processes: Processes, folder: Path, demo: DemoGateway) -> None:
        self.folder = folder / "home"
        self.url = ""
        self._processes = processes
        self._port = free_port()
        kept = {name: text for name, text in os.environ.items() if name not in THEIRS}
        self._environment = kept | {
            "HOME": str(folder),
            "HERMES_HOME": str(folder / "no-hermes"),
            "HOLDFAST_HOME": str(self.folder),
            "HERMES_URL": demo.url,
            "DRAIN_SECONDS": "1",
        }

    def start(self, tree: Path | None = None) -> RunningProcess:
        """`holdfast up` of this version, or of the one in `tree`."""
        environment = self._environment
        if tree is not None:
            environment = environment | {"PYTHONPATH": str(tree)}
        name = f"up.{len(self._processes.started)}"
        command = (sys.executable, "-P", "-m", "deploy.cli", "up", "--port", str(self._port))
        wait_until(lambda: not processes_of(self.folder), within=20, what="the last one is gone")
        process = self._processes.start(name, command, environment)
        process.wait_for_log("stop      Ctrl-C", within=60)
        self.url = f"http://127.0.0.1:{self._port}"
        return process

    def connect(self, sockets: ClientLoop) -> SocketClient:
        token = (self.folder / "token").read_text().strip()
        return SocketClient(sockets, self.url, token).connect()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_stored_live_and_waiting_runs_of_the_version_before_go_on(
    processes: Processes,
    tmp_path: Path,
    previous: Path,
    demo: DemoGateway,
    sockets: ClientLoop,
    number: signal.Signals,
) -> None:
    home = Home(processes, tmp_path, demo)
    old = home.start(previous)
    assert (previous / "web" / "relay.py").is_file(), "not the layout of the version before"
    client = home.connect(sockets)
    stored = client.run(talk(5), "stored")
    client.end(stored)
    question = {"after": 100, "command": "rm -rf build", "timeout": 300}
    live = client.run(talk(200, approval=question), "busy")
    waiting = client.run(talk(7), "busy")
    client.wait_for("approval.request", lambda event: event["run_id"] == live)
    client.disconnect()
    old.signal(number)
    old.wait(within=30)

    home.start()
    again = home.connect(sockets)
    texts = [message["content"] for message in again.resume("stored")["messages"]]
    assert texts[1:] == [numbered(5)]
    shown = again.resume("busy")
    assert shown["isWorking"]
    assert "approval.request" in [event["event"] for event in shown["events"]]
    assert again.call("approval", {"session_id": "busy", "choice": "once"})["ok"]
    again.end(waiting, within=60)
    messages = again.resume("busy")["messages"]
    answers = [m["content"] for m in messages if m["role"] == "assistant"]
    assert answers == [numbered(200), numbered(7)]
    assert demo.record()["posts"] == 3

    fresh = again.run(talk(9), "new")
    assert_whole(again, fresh, 9)
