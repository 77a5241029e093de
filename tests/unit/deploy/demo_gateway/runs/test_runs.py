"""The demo gateway's runs: starting, refusing, stopping, asking."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.deadline import eventually
from tests.support.gateways.demo_gateway import DemoGateway, scripted

KEY = "a key with ä"


@pytest.fixture(scope="module")
def gateway() -> Iterator[DemoGateway]:
    with DemoGateway.start(max_runs=0, session_delay=0) as started:
        yield started


def error_of(answer: requests.Response) -> tuple[int, str | None]:
    body = answer.json()["error"]
    assert {"message", "type", "code"} <= body.keys()
    return answer.status_code, body["code"]


def test_a_run_starts_with_202_and_can_be_polled(gateway: DemoGateway) -> None:
    text = scripted(tokens=2, rate=0)
    answer = gateway.request("POST", "/v1/runs", json={"input": text, "model": "m"})
    assert answer.status_code == 202
    run_id = answer.json()["run_id"]
    assert answer.json() == {"run_id": run_id, "status": "started"}
    assert run_id.startswith("run_")
    eventually(lambda: gateway.status(run_id)["status"] == "completed")
    status = gateway.status(run_id)
    assert status["output"] == "t1 t2 "
    assert status["last_event"] == "run.completed"
    assert status["usage"]["total_tokens"] == status["usage"]["input_tokens"] + 2
    assert (status["object"], status["model"]) == ("hermes.run", "m")
    assert status["session_id"] == run_id


def test_without_a_script_the_answer_says_what_it_is_and_uses_a_tool_if_asked(
    gateway: DemoGateway,
) -> None:
    events = gateway.events(gateway.post("Please take a tool for this"))
    names = [event["event"] for event in events]
    assert names[0] == "reasoning.available"
    assert names.count("tool.started") == names.count("tool.completed") == 1
    said = "".join(event.get("delta", "") for event in events)
    assert "demo gateway" in said
    assert "Please take a tool for this" in said
    assert said.endswith(events[-1]["output"])
    assert "demo gateway" not in events[-1]["output"], "only the message after the tool"


@pytest.mark.parametrize(
    "given",
    [
        [{"role": "user", "content": "BODY"}],
        [{"role": "user", "content": "earlier"}, {"role": "user", "content": "BODY"}],
        [{"role": "user", "content": [{"type": "text", "text": "BODY"}]}],
    ],
)
def test_the_last_message_of_a_list_is_the_input(gateway: DemoGateway, given: Any) -> None:
    script = json.dumps(scripted(tokens=7, rate=0))[1:-1]
    body = json.loads(json.dumps({"input": given}).replace("BODY", script))
    run_id = gateway.request("POST", "/v1/runs", json=body).json()["run_id"]
    assert len(gateway.events(run_id)) == 8


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "Invalid JSON"),
        (b"[]", "object"),
        (b"{}", "Missing 'input'"),
        (b'{"input": ""}', "Missing 'input'"),
        (b'{"input": [{"role": "user"}]}', "No user message"),
        (b'{"input": 7}', "No user message"),
        (b'{"input": "x", "conversation_history": "y"}', "array"),
        (b'{"input": "x", "conversation_history": [{"role": "user"}]}', "conversation_history[0]"),
        (b'{"input": "[[demo {\\"tokens\\": -1, \\"wrong\\": 2}]]"}', "tokens"),
        (b'{"input": "[[demo {]]"}', "not JSON"),
    ],
)
def test_a_bad_body_is_refused_with_400(gateway: DemoGateway, body: bytes, words: str) -> None:
    answer = gateway.request("POST", "/v1/runs", data=body)
    assert error_of(answer)[0] == 400
    assert words in answer.json()["error"]["message"]


def test_a_body_of_900_kb_works_and_one_of_11_mb_is_413(gateway: DemoGateway) -> None:
    script = scripted(tokens=1, rate=0)
    run_id = gateway.post(script + "x" * 900_000, session_id="big")
    assert gateway.events(run_id)[-1]["event"] == "run.completed"
    assert len(gateway.record("big")["runs"][0]["body"]["input"]) > 900_000
    answer = gateway.request("POST", "/v1/runs", json={"input": "x" * 11_000_000})
    assert error_of(answer) == (413, "body_too_large")


def test_an_unknown_run_is_404_everywhere(gateway: DemoGateway) -> None:
    for method, path in [("GET", ""), ("GET", "/events"), ("POST", "/stop"), ("POST", "/approval")]:
        answer = gateway.request(method, f"/v1/runs/run_none{path}", json={"choice": "once"})
        assert error_of(answer) == (404, "run_not_found")


def test_without_the_key_everything_but_health_is_401() -> None:
    with DemoGateway.start(key=KEY.encode().decode("latin-1")) as gateway:
        url = gateway.url
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
            for path in ("/v1/runs/x", "/v1/capabilities", "/api/sessions", "/demo/record"):
                answer = requests.get(url + path, headers=headers, timeout=10)
                assert error_of(answer) == (401, "invalid_api_key")
        assert requests.get(f"{url}/health", timeout=10).json()["status"] == "ok"


def test_the_right_key_opens() -> None:
    with DemoGateway.start(key="secret") as gateway:
        assert gateway.request("GET", "/v1/capabilities").json()["auth"]["required"] is True
        assert len(gateway.events(gateway.post(scripted(tokens=2, rate=0)))) == 3


def test_past_the_cap_a_post_is_429_until_a_run_has_ended() -> None:
    with DemoGateway.start(max_runs=2) as gateway:
        first = gateway.post(scripted(tokens=0, end="hang", stop_delay=0))
        gateway.post(scripted(tokens=0, end="hang"))
        refused = gateway.request("POST", "/v1/runs", json={"input": "x"})
        assert error_of(refused) == (429, "rate_limit_exceeded")
        assert refused.headers["Retry-After"] == "1"
        gateway.request("POST", f"/v1/runs/{first}/stop")
        eventually(lambda: gateway.status(first)["status"] == "cancelled")
        gateway.post(scripted(tokens=0))
        record = gateway.record()
        assert (record["posts"], record["refused_posts"], len(record["runs"])) == (4, 1, 3)


def test_a_stopped_run_is_cancelled_after_its_delay_and_keeps_its_partial_answer(
    gateway: DemoGateway,
) -> None:
    run_id = gateway.post(scripted(tokens=500, rate=50, stop_delay=0.3), session_id="s-stop")
    with gateway.reading(run_id) as lines:
        next(lines)
        answer = gateway.request("POST", f"/v1/runs/{run_id}/stop")
        assert (answer.status_code, answer.json()["status"]) == (200, "stopping")
        assert gateway.status(run_id)["status"] == "stopping"
        events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]
    assert events[-1]["event"] == "run.cancelled"
    again = gateway.request("POST", f"/v1/runs/{run_id}/stop")
    assert error_of(again) == (404, "run_not_found")
    record = gateway.record("s-stop")
    assert record["stops"] == [
        {"run_id": run_id, "found": True},
        {"run_id": run_id, "found": False},
    ]
    (run,) = record["runs"]
    assert (run["status"], run["stops"]) == ("cancelled", 1)
    assert run["messages"][-1]["content"] == run["text"].strip()


def test_an_approval_waits_for_its_answers_in_order(gateway: DemoGateway) -> None:
    questions = [{"after": 1, "command": name} for name in ("one", "two")]
    run_id = gateway.post(scripted(tokens=2, rate=0, approval=questions))
    path = f"/v1/runs/{run_id}/approval"
    with gateway.reading(run_id) as lines:
        eventually(lambda: gateway.status(run_id)["status"] == "waiting_for_approval")
        bad = gateway.request("POST", path, json={"choice": "perhaps"})
        assert error_of(bad) == (400, "invalid_approval_choice")
        for choice in ("approve", "deny"):
            assert gateway.request("POST", path, json={"choice": choice}).json()["resolved"] == 1
        events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]
    asked = [event for event in events if event["event"] == "approval.request"]
    assert [event["command"] for event in asked] == ["one", "two"]
    assert asked[0]["choices"] == ["once", "session", "always", "deny"]
    answered = [event["choice"] for event in events if event["event"] == "approval.responded"]
    assert answered == ["once", "deny"]
    late = gateway.request("POST", path, json={"choice": "once"})
    assert error_of(late) == (409, "approval_not_active")


def test_an_answer_to_no_question_is_409(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=0, end="hang", stop_delay=0))
    answer = gateway.request("POST", f"/v1/runs/{run_id}/approval", json={"choice": "once"})
    assert error_of(answer) == (409, "approval_not_pending")
    gateway.request("POST", f"/v1/runs/{run_id}/stop")


def test_health_counts_active_runs_but_not_stopping_ones() -> None:
    with DemoGateway.start() as gateway:

        def active() -> int:
            health = gateway.request("GET", "/health/detailed").json()
            assert health["pid"] == gateway.pid
            queues = health["readiness"]["checks"]["background_queues"]
            assert queues["active_api_runs"] == health["active_agents"]
            return int(health["active_agents"])

        assert active() == 0
        run_id = gateway.post(scripted(tokens=0, end="hang", stop_delay=60))
        assert active() == 1
        gateway.request("POST", f"/v1/runs/{run_id}/stop")
        assert active() == 0


def test_capabilities_and_models_name_what_is_there(gateway: DemoGateway) -> None:
    found = gateway.request("GET", "/v1/capabilities").json()
    assert found["platform"] == "hermes-agent"
    assert found["features"]["session_resources"] is True
    assert found["features"]["responses_api"] is False
    assert "run_events_replay" not in found["features"]
    assert found["endpoints"]["run_stop"]["path"] == "/v1/runs/{run_id}/stop"
    models = gateway.request("GET", "/v1/models").json()
    assert [model["id"] for model in models["data"]] == ["demo-model"]


def test_sigterm_ends_it_at_once_with_code_0_and_the_port_file_has_the_port(
    tmp_path: Path,
) -> None:
    port_file = tmp_path / "port"
    gateway = DemoGateway.start(port_file=port_file)
    assert gateway.url.endswith(f":{int(port_file.read_text())}")
    with gateway.reading(gateway.post(scripted(tokens=5000, rate=20))) as lines:
        next(lines)
        assert gateway.stop() == 0


def test_a_port_that_is_taken_is_said_plainly(gateway: DemoGateway) -> None:
    with pytest.raises(RuntimeError, match="ended with code 1"):
        DemoGateway.start(port=gateway.url.rpartition(":")[2])


def test_sigint_too() -> None:
    gateway = DemoGateway.start()
    gateway.post(scripted(tokens=0, end="hang"))
    assert gateway.signal(signal.SIGINT) == 0
