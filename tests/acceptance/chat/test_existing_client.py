"""A page that was written before this project finds what it relies on."""

from __future__ import annotations

from functools import partial

from tests.acceptance.answers import numbered, talk
from tests.acceptance.conftest import Clients, JsClients
from tests.support.clients.js_client import JsClient
from tests.support.servers.stack import Stack

SCRIPT = "existing_client.js"


def of_label(page: JsClient, label: str, name: str) -> list[dict[str, object]]:
    """What the listeners of one of its runs got."""
    return [payload for payload in page.all(name) if payload.get("label") == label]


def text_of(page: JsClient, label: str) -> str:
    return "".join(str(p["delta"]) for p in of_label(page, label, "message.delta"))


def test_its_listeners_get_a_whole_turn_and_one_end(
    stack: Stack, js_client: JsClients, session_id: str
) -> None:
    page = js_client(stack, SCRIPT)
    for label, tokens in (("a", 30), ("b", 20)):
        page.send("run", label=label, session_id=session_id, input=talk(tokens))
        page.wait_until(partial(of_label, page, label, "run.completed"), what=f"the end of {label}")
        assert len(of_label(page, label, "run.started")) == 1
        assert text_of(page, label) == numbered(tokens)
        assert len(of_label(page, label, "run.completed")) == 1
        end = of_label(page, label, "run.completed")[0]
        assert not {"parsed_content", "parsed_tool_calls", "parsed_reasoning"}.intersection(end)
        assert page.names()[-2:] == ["usage.updated", "run.completed"]


def test_a_page_that_stops_its_run_receives_nothing_more_of_it_and_its_next_run_ends_properly(
    stack: Stack, js_client: JsClients, connect: Clients, session_id: str
) -> None:
    page, tab = js_client(stack, SCRIPT), connect(stack)
    tab.resume(session_id)
    page.send("run", label="a", session_id=session_id, input=talk(1000, rate=100))
    stopped = page.wait_for("message.delta")["run_id"]
    page.send("abort", session_id=session_id)
    assert tab.end(stopped)["finish_reason"] == "aborted"
    page.send("run", label="b", session_id=session_id, input=talk(40))
    end = page.wait_for("run.completed", lambda p: p["label"] == "b")
    assert end["run_id"] != stopped
    assert end["finish_reason"] == "stop"
    assert text_of(page, "b") == numbered(40)
    ends = [p["run_id"] for name in ("run.completed", "run.failed") for p in page.all(name)]
    assert stopped not in ends
    assert {p["run_id"] for p in page.all("run.completed")} == {end["run_id"]}
    after_stop = tab.all("abort.completed", run_id=stopped)[0]["seq"]
    assert all(p["seq"] < after_stop for p in page.all(run_id=stopped) if "seq" in p)


def test_a_refused_run_reaches_it_as_a_failed_one(
    stack: Stack, js_client: JsClients, session_id: str
) -> None:
    page = js_client(stack, SCRIPT, profile="no-such-profile")
    page.send("run", label="a", session_id=session_id, input="x")
    failed = page.wait_for("run.failed")
    assert failed["session_id"] == session_id
    assert failed["reason"] == "unknown_profile"
    assert isinstance(failed["error"], str)


def test_opening_a_session_in_mid_run_shows_one_resumed_and_the_rest_comes_live(
    stack: Stack, js_client: JsClients, session_id: str
) -> None:
    writer, reader = js_client(stack, SCRIPT), js_client(stack)
    writer.send("run", label="a", session_id=session_id, input=talk(100, rate=100))
    run_id = writer.wait_for("message.delta")["run_id"]
    reader.send("emit", name="resume", payload={"session_id": session_id})
    writer.wait_for("run.completed")
    reader.end(run_id)
    assert len(reader.all("resumed")) == 1
    assert reader.text(run_id) == numbered(100)
    writer.send("open", session_id=session_id)
    shown = writer.wait_for("resumed")
    assert [m["role"] for m in shown["messages"]] == ["user", "assistant"]
    assert not writer.all("resume.timeout")
