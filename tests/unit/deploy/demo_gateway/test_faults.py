"""The demo gateway's faults on demand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from deploy.demo_gateway import poison
from tests.support.deadline import eventually
from tests.support.gateways.demo_gateway import DemoGateway, scripted


@pytest.fixture(scope="module")
def shared() -> Iterator[DemoGateway]:
    with DemoGateway.start(max_runs=0) as started:
        yield started


@pytest.fixture
def gateway(shared: DemoGateway) -> Iterator[DemoGateway]:
    yield shared
    shared.clear_faults()


def post(gateway: DemoGateway, session_id: str, **fields: Any) -> requests.Response:
    body = {"input": scripted(tokens=1, rate=0), "session_id": session_id}
    return gateway.request("POST", "/v1/runs", json=body, **fields)


def runs(gateway: DemoGateway, session_id: str) -> list[dict[str, Any]]:
    return list(gateway.record(session_id)["runs"])


def test_a_refused_post_says_when_to_come_back_and_is_counted_down(gateway: DemoGateway) -> None:
    gateway.faults(post_status=503, retry_after=2, count=2)
    for _ in range(2):
        answer = post(gateway, "refused")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert runs(gateway, "refused") == []
    assert post(gateway, "refused").status_code == 202


def test_a_run_may_have_been_taken_on_though_the_answer_is_502(gateway: DemoGateway) -> None:
    gateway.faults(post_status=502, accepted=True, count=1)
    assert post(gateway, "taken").status_code == 502
    eventually(lambda: runs(gateway, "taken")[0]["status"] == "completed")


def test_a_late_answer_comes_late_while_the_run_works(gateway: DemoGateway) -> None:
    gateway.faults(post_hang_seconds=0.8, count=2)
    with pytest.raises(requests.ReadTimeout):
        post(gateway, "hanging", timeout=0.3)
    eventually(lambda: runs(gateway, "hanging")[0]["status"] == "completed")
    started = time.monotonic()
    assert post(gateway, "hanging").status_code == 202
    assert time.monotonic() - started >= 0.8


@pytest.mark.parametrize("accepted", [True, False])
def test_a_hang_may_end_without_an_answer(gateway: DemoGateway, accepted: bool) -> None:
    gateway.faults(post_hang_seconds=0.1, post_never=True, accepted=accepted, count=1)
    with pytest.raises(requests.ConnectionError):
        post(gateway, f"never-{accepted}")
    assert len(runs(gateway, f"never-{accepted}")) == accepted


@pytest.mark.parametrize("accepted", [True, False])
def test_a_reset_comes_after_the_request_was_read(gateway: DemoGateway, accepted: bool) -> None:
    gateway.faults(post_reset=True, accepted=accepted, count=1)
    with pytest.raises(requests.ConnectionError):
        post(gateway, f"reset-{accepted}")
    assert len(runs(gateway, f"reset-{accepted}")) == accepted
    assert post(gateway, "after-reset").status_code == 202


def test_status_and_sessions_fail_on_demand_and_nothing_else_does(gateway: DemoGateway) -> None:
    run_id = post(gateway, "errors").json()["run_id"]
    gateway.faults(status_error=500, sessions_error=503)
    for _ in range(2):
        assert gateway.request("GET", f"/v1/runs/{run_id}").status_code == 500
        assert gateway.request("GET", "/api/sessions/errors/messages").status_code == 503
    assert post(gateway, "errors").status_code == 202
    gateway.clear_faults()
    assert gateway.request("GET", f"/v1/runs/{run_id}").status_code == 200


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("events", "GET", "/v1/runs/x/events"),
        ("stop", "POST", "/v1/runs/x/stop"),
        ("approval", "POST", "/v1/runs/x/approval"),
        ("health", "GET", "/health/detailed"),
        ("capabilities", "GET", "/v1/capabilities"),
        ("models", "GET", "/v1/models"),
    ],
)
def test_each_kind_of_request_can_fail(
    gateway: DemoGateway, kind: str, method: str, path: str
) -> None:
    gateway.faults(**{f"{kind}_error": 418}, count=1)
    assert gateway.request(method, path, json={}).status_code == 418
    assert gateway.request(method, path, json={}).status_code != 418


def test_latency_delays_every_kind_of_request(gateway: DemoGateway) -> None:
    gateway.faults(latency_ms=200)
    for method, path in [("POST", "/v1/runs"), ("GET", "/api/sessions")]:
        started = time.monotonic()
        assert gateway.request(method, path, json={"input": "[[demo {}]]"}).ok
        assert time.monotonic() - started >= 0.2


def test_a_script_can_be_forced_on_the_posts_of_some_sessions(gateway: DemoGateway) -> None:
    gateway.faults(script={"tokens": 0, "end": "failed"}, session_prefix="compress_", count=1)
    plain = post(gateway, "plain").json()["run_id"]
    forced = post(gateway, "compress_1").json()["run_id"]
    assert [event["event"] for event in gateway.events(forced)] == ["run.failed"]
    assert gateway.events(plain)[-1]["event"] == "run.completed"
    assert gateway.request("GET", "/demo/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"post_status": 200},
        {"post_status": 503, "post_reset": True},
        {"nonsense": 1},
        {"post_status": 503, "count": 0},
        {"script": {"tokens": "many"}},
    ],
)
def test_a_wrong_fault_is_refused(gateway: DemoGateway, fields: dict[str, Any]) -> None:
    answer = gateway.request("POST", "/demo/faults", json=fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_fault"
    assert gateway.request("GET", "/demo/faults").json() == {"faults": []}


def test_sessions_can_be_poisoned_and_are_well_again(gateway: DemoGateway) -> None:
    post(gateway, "poisoned")
    gateway.faults(sessions_poison=True)
    bodies = set()
    for _ in range(len(poison.TRANSCRIPTS)):
        answer = gateway.request("GET", "/api/sessions/poisoned/messages")
        assert answer.status_code == 200
        bodies.add(answer.content)
    assert bodies == set(poison.TRANSCRIPTS)
    assert post(gateway, "poisoned").status_code == 202
    gateway.clear_faults()
    answer = gateway.request("GET", "/api/sessions/poisoned/messages")
    assert answer.json()["session_id"] == "poisoned"
