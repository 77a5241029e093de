"""What a gateway offers, asked for through a web process, by users who may use some profiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.integration.web.api.http.gateway.conftest import KEY, NAMES, Site
from tests.support.gateways.document_gateway import Gate
from tests.support.servers.processes import wait_until

MODEL = {
    "id": "hermes-agent",
    "object": "model",
    "created": 1,
    "owned_by": "hermes",
    "permission": [],
    "root": "hermes-agent",
    "parent": None,
}
MODELS = {"object": "list", "data": [MODEL, {**MODEL, "id": "fast", "later_field": 1}]}


def error_of(answer: requests.Response) -> tuple[int, str]:
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    return answer.status_code, answer.json()["error"]["code"]


def test_a_document_is_passed_on_as_it_is(site: Site, gate: Gate) -> None:
    gate.answers("/v1/models", MODELS, X_Internal="10.0.0.7")
    answer = site.alice.get(f"/v1/models?profile={gate.name}")
    assert (answer.status_code, answer.json()) == (200, MODELS)
    assert "X-Internal" not in answer.headers
    ((path, headers),) = gate.asked
    assert (path, headers["authorization"]) == ("/v1/models", f"Bearer {KEY}")


def test_skills_and_toolsets_are_passed_on(site: Site, gate: Gate) -> None:
    skills = {"object": "list", "data": [{"name": "s", "description": "d", "category": None}]}
    tools = {"name": "web", "label": "Web", "description": "d", "enabled": True}
    toolset = {**tools, "configured": False, "tools": ["web_search"]}
    toolsets = {"object": "list", "platform": "api_server", "data": [toolset]}
    gate.answers("/v1/skills", skills)
    gate.answers("/v1/toolsets", toolsets)
    assert site.alice.get(f"/p/{gate.name}/v1/skills").json() == skills
    assert site.alice.get(f"/p/{gate.name}/v1/toolsets").json() == toolsets


def test_a_profile_is_named_by_query_or_path(site: Site) -> None:
    site.server.gate("work").answers("/v1/models", MODELS)
    site.server.gate("default").answers("/v1/models", {"object": "list", "data": []})
    for path in ("/v1/models?profile=work", "/p/work/v1/models", "/p/work/v1/models?profile=gone"):
        assert site.alice.get(path).json() == MODELS, path
    for path in ("/v1/models", "/p/default/v1/models"):
        assert site.alice.get(path).json()["data"] == []
        assert site.bob.get(path).json()["data"] == []
    assert site.server.gate("work").asked[0][1]["authorization"] == f"Bearer {KEY}-work"


def test_a_profile_that_a_user_may_not_use_looks_like_none(site: Site) -> None:
    said = []
    for name in ("work", "nope"):
        for path in ("/v1/models", "/v1/runs", "/v1/runs/run_1/events", "/api/jobs"):
            answer = site.bob.get(f"/p/{name}{path}")
            assert error_of(answer) == (404, "unknown_profile"), path
            said.append(answer.text.replace(name, "…"))
        assert error_of(site.bob.get(f"/v1/models?profile={name}")) == (400, "unknown_profile")
    assert len(set(said)) == 1
    for name in ("nope", "%20", "%00", "%ff"):
        assert error_of(site.alice.get(f"/p/{name}/v1/models")) == (404, "unknown_profile"), name


def test_runs_of_a_profile_are_started_and_listed_below_its_path(site: Site, gate: Gate) -> None:
    alice, below = site.alice, f"/p/{gate.name}"
    run = alice.post(f"{below}/v1/runs", {"input": "hello"})
    assert run.status_code == 202, run.text
    run_id = run.json()["run_id"]
    assert alice.get(f"{below}/v1/runs/{run_id}").json()["status"] == "queued"
    assert [one["run_id"] for one in alice.get(f"{below}/v1/runs").json()["data"]] == [run_id]
    assert alice.get("/p/default/v1/runs").json()["data"] == []
    assert run_id in alice.get("/v1/runs?profile=").text
    assert error_of(alice.get("/v1/runs?profile=%00")) == (400, "invalid_payload")
    refused = site.bob.post(f"{below}/v1/runs", {"input": "x"})
    assert error_of(refused) == (404, "unknown_profile")
    assert error_of(site.bob.get(f"/p/default/v1/runs/{run_id}")) == (404, "run_not_found")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({"error": f"{KEY} at http://10.0.0.7"}, 500, (502, "gateway_error")),
        ({"error": KEY}, 401, (502, "gateway_error")),
        ({"error": "no"}, 404, (501, "gateway_unsupported")),
        ({"error": "later"}, 429, (503, "gateway_busy")),
        ({"object": "list"}, 200, (502, "gateway_error")),
        ({"object": "list", "data": [{"id": 5}]}, 200, (502, "gateway_error")),
        (b"\xff\x00", 200, (502, "gateway_error")),
        (b"[" * 5_000_000, 200, (503, "gateway_unreachable")),
    ],
)
def test_what_is_no_document_is_an_error_without_the_gateways_words(
    site: Site, gate: Gate, body: object, status: int, expected: tuple[int, str]
) -> None:
    gate.answers("/v1/models", body, status)
    answer = site.alice.get(f"/v1/models?profile={gate.name}")
    assert error_of(answer) == expected
    assert KEY not in answer.text
    assert "10.0.0.7" not in answer.text
    assert ("Retry-After" in answer.headers) == (expected[0] == 503)


def test_a_gateway_that_hangs_holds_only_those_who_ask_it(site: Site, gate: Gate) -> None:
    gate.hold("/v1/models")
    site.server.gate("work").answers("/v1/models", MODELS)
    with ThreadPoolExecutor(20) as pool:
        path = f"/v1/models?profile={gate.name}"
        held = [pool.submit(site.alice.get, path) for _ in range(20)]
        wait_until(lambda: gate.asked, what="the question")
        assert site.alice.get("/v1/runs").status_code == 200
        assert site.alice.get("/v1/models?profile=work").json() == MODELS
        assert not any(one.done() for one in held)
        found = {error_of(one.result()) for one in held}
    assert found == {(503, "gateway_unreachable")}
    assert len(gate.asked) == 1


def test_capabilities_name_what_is_served_also_without_a_gateway(site: Site, gate: Gate) -> None:
    found = site.alice.get("/v1/capabilities?profile=gone").json()
    assert (found["model"], found["platform"]) == ("gone", "hermes-agent")
    theirs = {"skills_api": False, "jobs_admin": True, "run_submission": False}
    gate.answers("/v1/capabilities", {"model": "big-model", "features": theirs})
    found = site.alice.get(f"/v1/capabilities?profile={gate.name}").json()
    assert found["model"] == "big-model"
    features = found["features"]
    assert (features["run_submission"], features["run_events_replay"]) == (True, True)
    assert (features["skills_api"], features["jobs_admin"]) == (False, False)
    assert found["auth"] == {"type": "bearer", "required": True}
    paths = requests.get(f"{site.url}/openapi.json", timeout=10).json()["paths"]
    for endpoint in found["endpoints"].values():
        assert endpoint["method"].lower() in paths[endpoint["path"]]


def test_profiles_are_those_of_the_user_and_have_no_address(site: Site) -> None:
    work = site.server.gate("work")
    work.answers("/v1/models", MODELS)
    work.answers("/v1/capabilities", {"model": "big-model"})
    work.answers("/health", {"status": "ok", "version": "0.19.0"})
    answer = site.alice.get("/api/profiles")
    found = {one["name"]: one for one in answer.json()["data"]}
    assert set(found) == {"default", "gone", "work", *NAMES}
    assert found["work"] == {
        "name": "work",
        "default": False,
        "context_length": 5000,
        "available": True,
        "version": "0.19.0",
        "model": "big-model",
        "models": ["hermes-agent", "fast"],
    }
    nothing = {"available": False, "version": None, "model": None, "models": None}
    assert found["gone"] == {"name": "gone", "default": False, "context_length": None, **nothing}
    assert found["default"]["default"] is True
    assert "http" not in answer.text
    assert KEY not in answer.text
    assert [one["name"] for one in site.bob.get("/api/profiles").json()["data"]] == ["default"]


@pytest.mark.parametrize(
    "path", ["/v1/skills", "/v1/capabilities", "/api/profiles", "/health/detailed", "/api/jobs"]
)
def test_a_token_is_needed(site: Site, gate: Gate, path: str) -> None:
    for below in (path, f"/p/{gate.name}{path}"):
        answer = requests.get(site.url + below, timeout=10)
        assert error_of(answer) == (401, "invalid_api_key")
    assert {asked for asked, _ in gate.asked}.isdisjoint({"/v1/skills", "/health/detailed"})


def test_what_is_not_done_says_so(site: Site) -> None:
    for method, path in (
        ("GET", "/api/jobs"),
        ("POST", "/api/jobs"),
        ("PATCH", "/api/jobs/7"),
        ("DELETE", "/p/work/api/jobs/7"),
        ("POST", "/api/jobs/7/run"),
    ):
        assert error_of(site.alice.call(method, path)) == (501, "not_supported"), path
    for path in ("/api/platforms/telegram/events", "/api/cron/fire"):
        answer = requests.post(f"{site.url}{path}", json={}, timeout=10)  # platforms have no token
        assert error_of(answer) == (501, "not_supported")
    assert error_of(site.alice.call("PUT", "/api/jobs")) == (405, "method_not_allowed")
