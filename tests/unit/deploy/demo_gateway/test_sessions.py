"""The demo gateway's sessions: late, complete, and the only place of tool results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.deadline import eventually
from tests.support.gateways.demo_gateway import DemoGateway, scripted


@pytest.fixture(scope="module")
def gateway() -> Iterator[DemoGateway]:
    with DemoGateway.start(max_runs=0) as started:
        yield started


def messages(gateway: DemoGateway, session_id: str) -> list[dict[str, Any]]:
    answer = gateway.request("GET", f"/api/sessions/{session_id}/messages").json()
    assert (answer["object"], answer["session_id"]) == ("list", session_id)
    return list(answer["data"])


def test_a_session_exists_a_little_after_its_run(gateway: DemoGateway) -> None:
    script = scripted(tokens=0, end="hang", session_delay=0.3, stop_delay=0)
    run_id = gateway.post(script, session_id="late")
    answer = gateway.request("GET", "/api/sessions/late")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "session_not_found"
    eventually(lambda: gateway.request("GET", "/api/sessions/late").status_code == 200)
    assert [message["role"] for message in messages(gateway, "late")] == ["user"]
    assert gateway.status(run_id)["status"] == "running"
    gateway.request("POST", f"/v1/runs/{run_id}/stop")


def test_tool_results_are_in_the_transcript_and_nowhere_else(gateway: DemoGateway) -> None:
    tool = {"after": 2, "name": "clock", "output": "it is late", "arguments": {"zone": "UTC"}}
    run_id = gateway.post(
        scripted(tokens=4, rate=0, reasoning=2, tools=tool, usage=None), session_id="tools"
    )
    events = gateway.events(run_id)
    assert "it is late" not in json.dumps(events)
    user, call, result, final = messages(gateway, "tools")
    assert user["role"] == "user"
    assert (call["content"], call["finish_reason"]) == ("t1 t2 ", "tool_calls")
    assert call["reasoning"] == "r1 r2 "
    function = call["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("clock", {"zone": "UTC"})
    assert (result["role"], result["content"], result["tool_name"]) == ("tool", "it is late", None)
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert (final["content"], final["finish_reason"]) == ("t3 t4 ", "stop")
    assert events[-1]["output"] == "t3 t4 "
    assert gateway.record("tools")["runs"][0]["messages"] == messages(gateway, "tools")


def test_finished_steps_are_written_while_the_turn_goes_on(gateway: DemoGateway) -> None:
    run_id = gateway.post(
        scripted(tokens=1, rate=0, tools={"after": 1}, end="hang", stop_delay=0), session_id="steps"
    )
    eventually(lambda: len(gateway.record("steps")["runs"][0]["messages"]) == 3)
    eventually(lambda: gateway.request("GET", "/api/sessions/steps").status_code == 200)
    assert [m["role"] for m in messages(gateway, "steps")] == ["user", "assistant", "tool"]
    assert gateway.status(run_id)["status"] == "running"
    gateway.request("POST", f"/v1/runs/{run_id}/stop")


def test_a_session_carries_the_totals_of_its_runs(gateway: DemoGateway) -> None:
    usage = {"input_tokens": 100, "output_tokens": 30}
    for _ in range(2):
        events = gateway.events(
            gateway.post(scripted(tokens=1, rate=0, usage=usage), session_id="sum")
        )
        assert events[-1]["usage"] == {**usage, "total_tokens": 130}
    answer = gateway.request("GET", "/api/sessions/sum").json()
    assert answer["object"] == "hermes.session"
    session = answer["session"]
    assert (session["id"], session["source"], session["message_count"]) == ("sum", "api_server", 4)
    assert (session["input_tokens"], session["output_tokens"]) == (200, 60)


def test_output_can_differ_from_the_text(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=0, output="only here"), session_id="out")
    assert [event.get("output") for event in gateway.events(run_id)] == ["only here"]
    assert messages(gateway, "out")[-1]["content"] == "only here"


def test_a_deleted_session_is_gone_and_the_record_remembers(gateway: DemoGateway) -> None:
    gateway.events(gateway.post(scripted(tokens=1, rate=0), session_id="del"))
    answer = gateway.request("DELETE", "/api/sessions/del")
    assert answer.json() == {"object": "hermes.session.deleted", "id": "del", "deleted": True}
    for method, path in [("GET", ""), ("GET", "/messages"), ("DELETE", "")]:
        assert gateway.request(method, f"/api/sessions/del{path}").status_code == 404
    found = [entry["found"] for entry in gateway.record("del")["deletes"]]
    assert found == [True, False]


def test_sessions_are_listed_by_page_last_used_first() -> None:
    with DemoGateway.start(session_delay=0) as gateway:
        for name in ("a", "b", "c", "a"):
            gateway.events(gateway.post(scripted(tokens=1, rate=0), session_id=name))

        def page(query: str) -> tuple[list[str], bool]:
            answer = gateway.request("GET", f"/api/sessions?{query}").json()
            return [row["id"] for row in answer["data"]], answer["has_more"]

        assert page("") == (["a", "c", "b"], False)
        assert page("limit=2") == (["a", "c"], True)
        assert page("limit=2&offset=2") == (["b"], False)
        assert page("limit=nonsense&offset=-1&source=api_server") == (["a", "c", "b"], False)
        assert page("source=cron") == ([], False)
