"""What the routes answer is what `/openapi.json` says that they answer."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.integration.web.api.http.operations.conftest import Site


@pytest.fixture(scope="module")
def description(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.client("alice").get("/openapi.json").json()
    return found


def require_fit(description: dict[str, Any], path: str, answer: requests.Response) -> None:
    """The answer has a status that is described, and a body of that shape, without other fields."""
    method = str(answer.request.method).lower()
    responses = description["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, (path, answer.status_code)
    schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
    document = {**schema, "components": description["components"]}
    Draft202012Validator(document).validate(answer.json())
    known = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    assert answer.json().keys() <= known.keys()


@pytest.mark.parametrize("name", ["alice", "olga", "adam"])
def test_answers_fit_their_description(
    site: Site, description: dict[str, Any], name: str, session_id: str
) -> None:
    failed = site.failed("alice", session_id)
    live = site.client("alice").start("x")
    log = site.begin(live)
    log.append("tool.completed", tool="ls", duration=1.5, error=True)
    log.append("run.retrying", reason="gateway_busy", delay=2)
    site.park(f"eph_{session_id}", at=1000.0)
    site.spend("alice", 1_800_000_000.0, model=None)
    client = site.client(name)
    for path in ("/api/me", "/api/queue", "/api/runs", "/api/deletions", "/api/usage"):
        require_fit(description, path, client.get(path))
    require_fit(description, "/api/usage", client.get("/api/usage?since=1799990000&by=model"))
    for run_id in (failed, live, "run_nobody"):
        timeline = client.get(f"/api/runs/{run_id}/timeline")
        require_fit(description, "/api/runs/{run_id}/timeline", timeline)
        retried = client.post(f"/api/runs/{run_id}/retry")
        require_fit(description, "/api/runs/{run_id}/retry", retried)
    for body in ({"profile": "default"}, {}, b"{", [1]):
        answer = client.post("/api/deletions/retry", body)
        require_fit(description, "/api/deletions/retry", answer)
    other_type = client.post("/api/deletions/retry", {}, Content_Type="text/plain")
    require_fit(description, "/api/deletions/retry", other_type)


def test_whoever_has_no_token_gets_nothing(site: Site, description: dict[str, Any]) -> None:
    for path, methods in description["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            url = site.url + path.replace("{run_id}", "run_x")
            answer = requests.request(method, url, json={}, timeout=20)
            is_public = operation.get("security") == []
            assert answer.status_code in ((501,) if is_public else (401, 429))
            require_fit(description, path, answer)
