"""A page of the first protocol loses its web process again and again, and no token with it (P3)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from shared.protocol.run_states import RunState
from tests.acceptance.answers import numbered, talk
from tests.acceptance.conftest import Clients, JsClients
from tests.support.clients.chat_client import ChatClient
from tests.support.clients.js_client import JsClient
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import TOKEN, Stack

SCRIPT = "existing_client.js"
KILLS = 20
TOKENS = 200


@pytest.fixture(scope="module")
def webs() -> Iterator[Stack]:
    """Three web processes on one port."""
    made = Stack(web=3)
    try:
        yield made.start()
    finally:
        made.stop()


class Webs:
    """Ends the process that has a page's socket, and starts it again meanwhile."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._threads = ThreadPoolExecutor(3)
        self._starting: dict[int, Future[None]] = {}

    def end_that_of(self, page: JsClient, how: signal.Signals) -> None:
        """Returns when the page is back, on another process."""
        number = wait_until(self._with_socket, what="a web process with a socket")[0]
        while len(self._starting) > 1:
            self._starting.pop(next(iter(self._starting))).result()
        mark = page.mark()
        self._starting[number] = self._threads.submit(self._stack.restart_web, number, how)
        assert page.wait_for("connect", since=mark, within=15)["recovered"] is True

    def settle(self) -> None:
        """All run again."""
        for future in self._starting.values():
            future.result()
        self._threads.shutdown()

    def _with_socket(self) -> list[int]:
        there = [n for n in range(3) if n not in self._starting or self._starting[n].done()]
        return [n for n in there if self._stack.sockets(self._stack.web[n])]


def of_label(page: JsClient, label: str, name: str = "") -> list[dict[str, Any]]:
    """What the listeners of one of its runs got."""
    return [payload for payload in page.all(name) if payload.get("label") == label]


def start(page: JsClient, label: str, session: str, text: str) -> str:
    """Send `run` as that client does, and wait for the run to begin; its id."""
    page.send("run", label=label, session_id=session, input=text)
    begun = page.wait_for("run.started", lambda p: p["label"] == label)
    return str(begun["run_id"])


def assert_whole(page: JsClient, label: str, tokens: int) -> None:
    """Its listeners got every event of the run once and in order, and one end."""
    page.wait_for("run.completed", lambda p: p["label"] == label, within=30)
    seqs = [payload["seq"] for payload in of_label(page, label) if "seq" in payload]
    assert seqs == list(range(1, len(seqs) + 1))
    assert "".join(p["delta"] for p in of_label(page, label, "message.delta")) == numbered(tokens)
    assert len(of_label(page, label, "run.completed")) == 1


def lose_twenty_times(webs: Stack, page: JsClient, sessions: dict[str, str]) -> list[str]:
    """Twenty kills, with a live run in each session at each; the labels of all runs."""
    losing, labels, live = Webs(webs), [], dict.fromkeys(sessions, "")
    for kill in range(KILLS):
        for name, session in sessions.items():
            if not live[name] or of_label(page, live[name], "run.completed"):
                live[name] = f"{name}{kill}"
                labels.append(live[name])
                start(page, live[name], session, talk(TOKENS, rate=50))
        losing.end_that_of(page, signal.SIGKILL)
    losing.settle()
    return labels


@pytest.mark.timeout(300)  # a process starts twenty times
def test_two_live_sessions_on_one_socket_survive_twenty_kills_of_its_web_process(
    webs: Stack, js_client: JsClients, new_session: Callable[[], str]
) -> None:
    page = js_client(webs, SCRIPT)
    labels = lose_twenty_times(webs, page, {"a": new_session(), "b": new_session()})
    for label in labels:
        assert_whole(page, label, TOKENS)
    assert not page.all("resumed")
    ended = {p["run_id"] for p in page.all("run.completed")}
    assert len(ended) == len(labels) == len(page.all("run.completed"))


def test_a_run_that_the_page_stopped_stays_silent_after_the_loss_of_its_web_process(
    webs: Stack, js_client: JsClients, connect: Clients, session_id: str
) -> None:
    page, tab, losing = js_client(webs, SCRIPT), connect(webs), Webs(webs)
    tab.disconnect()
    stopped = start(page, "a", session_id, talk(2000, rate=50, stop_delay=3))
    page.send("abort", session_id=session_id)
    webs.wait_for_row(stopped, state=RunState.STOPPING.value)
    losing.end_that_of(page, signal.SIGKILL)
    webs.wait_for_row(stopped, state=RunState.ABORTED.value)
    start(page, "b", session_id, talk(20))
    assert_whole(page, "b", 20)
    assert {p["run_id"] for p in page.all("run.completed")}.isdisjoint({stopped})
    losing.settle()


def test_a_rolling_restart_of_all_web_processes_loses_nothing(
    webs: Stack, js_client: JsClients, session_id: str
) -> None:
    page, losing = js_client(webs, SCRIPT), Webs(webs)
    start(page, "a", session_id, talk(300, rate=60))
    leaving = list(webs.web)
    for _ in range(3):
        losing.end_that_of(page, signal.SIGTERM)
    losing.settle()
    assert_whole(page, "a", 300)
    assert [w.returncode for w in leaving if w.returncode is not None].count(0) >= 1
    assert all(w.returncode in (None, 0) for w in leaving)


def test_a_python_client_gets_one_argument_and_no_pid(webs: Stack, session_id: str) -> None:
    got: list[object] = []
    client = ChatClient(webs.url, auth={"token": TOKEN})
    client.client.on("message.delta", got.append, namespace="/chat-run")
    try:
        client.call("run", {"input": talk(20), "session_id": session_id})
        client.wait_for("run.completed")
        assert "".join(p["delta"] for p in got if isinstance(p, dict)) == numbered(20)
    finally:
        client.close()
