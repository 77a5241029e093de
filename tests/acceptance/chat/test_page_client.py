"""The client of the page, in Node, with real processes: nothing is lost, nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.page import build
from tests.support.clients.js_client import JsClient
from tests.support.servers.stack import TOKEN, Stack

Start = Callable[[Stack], JsClient]

ANSWER = '[[demo {"tokens": 120, "rate": 60}]]'
WHOLE = " ".join(f"t{n}" for n in range(1, 121))


@pytest.fixture(scope="session")
def driver(javascript: None) -> str:
    """The client, built for Node."""
    return str(build.build_client())


@pytest.fixture(scope="module")
def pair() -> Iterator[Stack]:
    """A web process and a worker that tests may kill."""
    made = Stack()
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def start(driver: str) -> Iterator[Start]:
    """Starts clients; they are ended after the test."""
    made: list[JsClient] = []

    def start_one(to: Stack) -> JsClient:
        made.append(JsClient(driver, to.url, TOKEN))
        made[-1].wait_for("connect")
        return made[-1]

    yield start_one
    for one in made:
        one.stop()


def answer(view: dict[str, Any]) -> str:
    return "".join(m["content"] for m in view["messages"] if m["role"] == "assistant").strip()


def is_done(view: dict[str, Any]) -> bool:
    return not view["isWorking"] and answer(view) == WHOLE


def prompts(view: dict[str, Any]) -> list[str]:
    return [m["content"] for m in view["messages"] if m["role"] == "user"]


def test_what_is_shown_at_the_end_is_what_is_stored(
    pair: Stack, start: Start, session_id: str
) -> None:
    client = start(pair)
    client.send("begin", session_id=session_id)
    client.send("send", input=ANSWER)
    view = client.wait_for("changed", lambda view: is_done(view) and "liveRun" not in view)
    run_id = view["messages"][0]["run_id"]
    stored = [(m.role, m.content, m.id) for m in pair.messages(run_id)]
    assert [(m["role"], m["content"], m["id"]) for m in view["messages"]] == stored


def test_a_killed_web_process_loses_and_repeats_nothing(
    pair: Stack, start: Start, session_id: str
) -> None:
    client = start(pair)
    client.send("begin", session_id=session_id)
    client.send("send", input=ANSWER)
    client.wait_for("changed", lambda view: "t20" in answer(view))
    pair.restart_web(0)
    mark = client.mark()
    view = client.wait_for("changed", is_done, since=mark)
    assert len(prompts(view)) == 1
    texts = [answer(one) for one in client.all("changed")]
    assert all(WHOLE.startswith(text) for text in texts), "never anything but a beginning of it"


def test_what_is_sent_without_a_server_is_sent_once_when_there_is_one(
    pair: Stack, start: Start, session_id: str
) -> None:
    client = start(pair)
    client.send("begin", session_id=session_id)
    pair.end_web(0)
    client.wait_for("changed", lambda view: view["connection"] == "waiting")
    client.send("send", input=ANSWER)
    client.wait_for("changed", lambda view: [i["state"] for i in view["outbox"]] == ["waiting"])
    pair.start_web(0)
    client.send("wake")
    view = client.wait_for("changed", lambda view: is_done(view) and not view["outbox"])
    assert prompts(view) == [ANSWER]


def test_a_client_that_comes_in_the_middle_shows_the_same(
    pair: Stack, start: Start, session_id: str
) -> None:
    first, second = start(pair), start(pair)
    first.send("begin", session_id=session_id)
    first.send("send", input=ANSWER)
    first.wait_for("changed", lambda view: "t20" in answer(view))
    second.send("watch", session_id=session_id)
    for client in (first, second):
        client.wait_for("changed", lambda view: is_done(view) and "liveRun" not in view)


def test_a_question_is_answered_and_a_run_is_stopped(
    pair: Stack, start: Start, session_id: str
) -> None:
    client = start(pair)
    client.send("begin", session_id=session_id)
    client.send("send", input='[[demo {"tokens": 5000, "rate": 50, "approval": {"after": 5}}]]')
    view = client.wait_for("changed", lambda view: view["questions"])
    client.send("answer", question=view["questions"][0]["id"], choice="once")
    client.wait_for("changed", lambda view: not view["questions"] and "t10" in answer(view))
    client.send("abort")
    view = client.wait_for("changed", lambda view: view.get("end", {}).get("status") == "aborted")
    assert answer(view).startswith("t1 t2")
