"""Health in the gateway's shapes: of this process, of the gateway, of both."""

from __future__ import annotations

import pytest
import requests

from tests.integration.web.api.http.gateway.conftest import Site
from tests.support.gateways.document_gateway import Gate

THEIRS = {
    "status": "ok",
    "readiness": {
        "status": "ok",
        "checks": {
            "state_db": {"status": "ok", "path": "/home/agent/state.db"},
            "background_queues": {"status": "ok", "active_api_runs": 2},
        },
    },
    "platform": "hermes-agent",
    "version": "0.19.0",
    "gateway_state": "running",
    "platforms": {"telegram": {"state": "retrying", "error_message": "no route to 10.0.0.7"}},
    "active_agents": 2,
    "gateway_busy": True,
    "gateway_drainable": True,
    "exit_reason": "http://10.0.0.7 refused",
    "updated_at": "2026-01-01T00:00:00+00:00",
    "pid": 4711,
}


def test_everybody_may_know_that_it_answers(site: Site) -> None:
    for path in ("/health", "/v1/health", "/p/default/health", "/p/whatever/v1/health"):
        answer = requests.get(site.url + path, timeout=10)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["status"], found["platform"]) == ("ok", "hermes-agent")
        assert found.keys() == {"status", "platform", "version", "holdfast"}
    wrong = requests.post(f"{site.url}/health", timeout=10)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert requests.get(f"{site.url}/healthz", timeout=10).json()["status"] == "ok"


def test_the_details_are_counts_and_states(site: Site, gate: Gate) -> None:
    gate.answers("/health/detailed", THEIRS)
    answer = site.alice.get(f"/health/detailed?profile={gate.name}")
    found = answer.json()
    assert (answer.status_code, found["status"]) == (200, "ok")
    assert (found["active_agents"], found["pid"], found["gateway_busy"]) == (2, 4711, True)
    assert found["readiness"]["checks"]["background_queues"]["active_api_runs"] == 2
    assert found["platforms"] == {"telegram": {"state": "retrying", "error_message": None}}
    assert found["updated_at"] == "2026-01-01T00:00:00+00:00"
    assert found["holdfast"]["gateway"] == "ok"
    assert set(found["holdfast"]["dependencies"]) == {"database", "redis", "relay"}
    assert "10.0.0.7" not in answer.text
    assert "/home" not in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 500), ({"status": 5, "pid": "x", "platforms": [], "readiness": 1}, 200)],
)
def test_a_gateway_that_does_not_answer_is_a_fact_and_no_error(
    site: Site, gate: Gate, body: object, status: int
) -> None:
    gate.answers("/health/detailed", body, status)
    answer = site.alice.get(f"/p/{gate.name}/health/detailed")
    found = answer.json()
    assert (answer.status_code, found["status"]) == (200, "degraded")
    assert found["readiness"] == {"status": "degraded", "checks": {}}
    assert (found["pid"], found["active_agents"], found["platforms"]) == (None, 0, {})
    assert found["holdfast"]["gateway"] == ("failed" if status == 500 else "ok")
