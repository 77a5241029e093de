"""What gateways refuse, ask and admit: the same at the demo and at the real one."""

from __future__ import annotations

import pytest

from tests.contracts.conftest import LONG, GatewayUnderTest, Plan
from tests.contracts.gateway_events import named
from worker.gateway import boundary
from worker.gateway.models import GatewayWork


def test_at_the_cap_a_run_is_refused_with_429_and_retry_after(
    gateway: GatewayUnderTest,
) -> None:
    endless = Plan(count=600, rate=10)  # as long as a busy machine needs to start them all
    runs = [gateway.start(gateway.prompt(endless)) for _ in range(gateway.cap)]
    refused = gateway.call("POST", "/v1/runs", {"input": gateway.prompt(Plan())})
    assert refused.status == 429
    assert int(refused.headers.get("retry-after", 1)) >= 1
    assert ("retry-after" in refused.headers) is gateway.modern
    assert refused.body["error"]["code"] == "rate_limit_exceeded"
    gateway.call("POST", f"/v1/runs/{runs[0]}/stop")
    gateway.wait_status(runs[0])
    if not gateway.modern:
        gateway.read(runs.pop(0))  # a run takes its place until its stream has been read
    gateway.start(gateway.prompt(Plan()))


@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_the_key_everything_but_health_is_401(gateway: GatewayUnderTest, key: str) -> None:
    later = [("GET", "/api/sessions/none"), ("GET", "/health/detailed")]
    for method, path in (
        ("POST", "/v1/runs"),
        ("GET", "/v1/runs/run_nope"),
        ("GET", "/v1/runs/run_nope/events"),
        ("POST", "/v1/runs/run_nope/stop"),
        ("GET", "/v1/capabilities"),
        *(later if gateway.modern else []),
    ):
        answer = gateway.call(method, path, {"input": "x"} if method == "POST" else None, key=key)
        assert (answer.status, path) == (401, path)
        assert answer.body["error"]["code"] == "invalid_api_key"
    assert gateway.call("GET", "/health", key=key).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": ""},
        {"input": 5},
        {"input": [{"type": "text", "text": "a block without a message around it"}]},
        {"input": "x", "conversation_history": {"role": "user"}},
        {"input": "x", "conversation_history": [{"role": "user"}]},
        {"input": "x", "conversation_history": [{"content": "no role"}]},
        {"input": "x", "conversation_history": ["text"]},
        b"{not json",
    ],
)
def test_a_faulty_body_is_refused_with_400_and_a_message(
    gateway: GatewayUnderTest, body: object
) -> None:
    answer = gateway.call("POST", "/v1/runs", body)
    assert answer.status == 400
    assert answer.body["error"]["message"]


@pytest.mark.parametrize("choice", ["once", "deny"])
def test_an_approval_is_asked_for_answered_once_and_then_no_more(
    gateway: GatewayUnderTest, choice: str
) -> None:
    run_id = gateway.start(gateway.prompt(Plan(danger=True)))
    path = f"/v1/runs/{run_id}/approval"
    assert gateway.wait_status(run_id, "waiting_for_approval")["last_event"] == "approval.request"
    assert gateway.call("POST", path, {"choice": "maybe"}).status == 400
    answer = gateway.call("POST", path, {"choice": choice})
    assert (answer.status, answer.body["choice"], answer.body["resolved"]) == (200, choice, 1)
    again = gateway.call("POST", path, {"choice": choice})
    assert (again.status, again.body["error"]["code"][:12]) == (409, "approval_not")
    events = gateway.read(run_id)
    (request,), (response,) = (
        named(events, name) for name in ("approval.request", "approval.responded")
    )
    assert request["choices"] == ["once", "session", "always", "deny"]
    assert {"command", "description", "pattern_key"} <= request.keys()
    assert ("allow_permanent" in request) is gateway.modern
    assert (response["choice"], response["resolved"]) == (choice, 1)
    assert events[-1]["event"] == "run.completed"


def test_answering_where_nothing_was_asked_is_refused(gateway: GatewayUnderTest) -> None:
    run_id = gateway.start(gateway.prompt(Plan()))
    gateway.wait_status(run_id)
    ended = gateway.call("POST", f"/v1/runs/{run_id}/approval", {"choice": "once"})
    assert (ended.status, ended.body["error"]["code"]) == (409, "approval_not_active")
    unknown = gateway.call("POST", "/v1/runs/run_nope/approval", {"choice": "once"})
    assert (unknown.status, unknown.body["error"]["code"]) == (404, "run_not_found")


def test_health_shows_version_pid_and_the_number_of_active_runs(gateway: GatewayUnderTest) -> None:
    assert gateway.call("GET", "/health").body["status"] == "ok"
    gateway.wait_status(gateway.start(gateway.prompt(LONG)), "running")
    detailed = gateway.call("GET", "/health/detailed").body
    assert isinstance(detailed["pid"], int)
    work = boundary.work(detailed)
    assert work == GatewayWork(detailed["pid"], active=1 if gateway.modern else None)
    if gateway.modern:
        assert isinstance(detailed["version"], str)


def test_capabilities_name_runs_and_no_replay_and_whether_there_are_sessions(
    gateway: GatewayUnderTest,
) -> None:
    features = gateway.call("GET", "/v1/capabilities").body["features"]
    for name in ("run_submission", "run_status", "run_events_sse", "run_stop"):
        assert features[name] is True
    assert features.get("session_resources", False) is gateway.modern
    assert not [name for name, on in features.items() if "replay" in name and on]
