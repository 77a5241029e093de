"""`/v1/runs` on a real web process: what is taken, refused, shown, stopped, answered, listed."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
import requests
from openapi_spec_validator import validate
from sqlalchemy import update

from shared.db.models import RunRow
from shared.db.runs.terminal import fix_end
from shared.protocol.events import encode
from shared.protocol.run_states import Move
from tests.integration.web.api.http.conftest import Api
from tests.support.rows import run_row


@pytest.fixture
def session_id() -> str:
    return f"session-{uuid.uuid4().hex}"


def code(answer: requests.Response) -> tuple[int, str]:
    """Status and code of a refusal, whose envelope is checked."""
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert error["message"]
    return answer.status_code, error["code"]


def test_a_run_is_accepted_with_202_and_shown_as_queued(api: Api, session_id: str) -> None:
    answer = api.alice.post("/v1/runs", {"input": "hello", "session_id": session_id, "model": "m"})
    assert answer.status_code == 202
    assert answer.json().keys() == {"run_id", "status"}
    assert answer.json()["status"] == "started"
    assert answer.headers["X-Hermes-Session-Id"] == session_id
    run = api.alice.get(f"/v1/runs/{answer.json()['run_id']}").json()
    assert (run["object"], run["status"], run["session_id"]) == ("hermes.run", "queued", session_id)
    assert (run["model"], run["queue_position"], run["attempts"]) == ("m", 1, 0)
    assert run["created_at"] <= run["updated_at"]
    assert not run.keys() & {"output", "usage", "error", "reason", "last_event"}


def test_a_run_without_a_session_is_named_as_gateways_name_it(api: Api) -> None:
    run_id = api.alice.start("hello")
    run = api.alice.get(f"/v1/runs/{run_id}").json()
    assert (run["session_id"], run["model"]) == (run_id, "hermes-agent")
    assert run_row(api.stand.db, run_id).session_id is None


def test_the_session_may_be_named_in_a_header(api: Api, session_id: str) -> None:
    answer = api.alice.post("/v1/runs", {"input": "x"}, X_Hermes_Session_Id=session_id)
    assert run_row(api.stand.db, answer.json()["run_id"]).session_id == session_id


def test_a_history_of_its_own_goes_before_the_input_of_a_run_without_session(api: Api) -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": 5}]
    run_id = api.alice.start("b", conversation_history=history)
    assert run_row(api.stand.db, run_id).input == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "5"},
        {"role": "user", "content": "b"},
    ]


def test_a_history_of_its_own_takes_the_place_of_the_session_s_for_this_run(
    api: Api, session_id: str
) -> None:
    history = [{"role": "user", "content": "a\0"}, {"role": "assistant", "content": 5}]
    run_id = api.alice.start("b", session_id=session_id, conversation_history=history)
    row = run_row(api.stand.db, run_id)
    assert (row.input, row.history) == (
        [{"role": "user", "content": "b"}],
        [{"role": "user", "content": "a\ufffd"}, {"role": "assistant", "content": "5"}],
    )
    empty = api.alice.start("c", session_id=session_id, conversation_history=[])
    assert run_row(api.stand.db, empty).history is None


def test_the_same_request_id_with_another_history_is_a_conflict(api: Api, session_id: str) -> None:
    body = {"input": "x", "session_id": session_id, "client_request_id": "1"}
    for said, status in (("a", 202), ("a", 202), ("b", 409)):
        history = [{"role": "user", "content": said}]
        answer = api.alice.post("/v1/runs", {**body, "conversation_history": history})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "status", "wanted", "param"),
    [
        ({}, 400, "invalid_payload", "input"),
        ({"input": ""}, 400, "invalid_payload", "input"),
        ({"input": 5}, 400, "invalid_payload", "input"),
        ({"input": []}, 400, "invalid_payload", "input"),
        ({"input": "x", "session_id": 5}, 400, "invalid_payload", "session_id"),
        ({"input": "x", "session_id": "a\x07"}, 400, "invalid_payload", "session_id"),
        ({"input": "x", "on_busy": "maybe"}, 400, "invalid_payload", "on_busy"),
        ({"input": "x", "instructions": {}}, 400, "invalid_payload", "instructions"),
        (
            {"input": "x", "conversation_history": {}},
            400,
            "invalid_payload",
            "conversation_history",
        ),
        (
            {"input": "x", "conversation_history": [{"role": "user"}]},
            400,
            "invalid_payload",
            "conversation_history",
        ),
        (
            {"input": "x", "previous_response_id": "r"},
            400,
            "unsupported_parameter",
            "previous_response_id",
        ),
        (b"{not json", 400, "invalid_json", None),
        (b"[1]", 400, "invalid_json", None),
        (b'{"input": NaN}', 400, "invalid_json", None),
        (b"\xff", 400, "invalid_json", None),
        (b"[" * 100_000, 400, "invalid_json", None),
        (b"", 400, "invalid_json", None),
        (b'{"input": "' + b"x" * 9_000_000 + b'"}', 413, "body_too_large", None),
    ],
)
def test_a_faulty_body_is_refused_in_the_envelope(
    api: Api, body: Any, status: int, wanted: str, param: str | None
) -> None:
    answer = api.alice.post("/v1/runs", body)
    assert code(answer) == (status, wanted)
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_body_in_chunks_is_asked_for_its_length(api: Api) -> None:
    parts = iter([b'{"input": "', b'x"}'])
    headers = {"Authorization": "Bearer token-of-alice", "Content-Type": "application/json"}
    answer = requests.post(f"{api.url}/v1/runs", data=parts, headers=headers, timeout=30)
    assert answer.status_code == 411
    described = api.alice.get("/openapi.json").json()["paths"]["/v1/runs"]
    assert "411" in described["post"]["responses"]
    assert "411" not in described["get"]["responses"]


def test_another_type_of_body_is_415(api: Api) -> None:
    answer = api.alice.call("POST", "/v1/runs", {"input": "x"}, Content_Type="text/plain")
    assert code(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/api/nothing", "/v1/runs/a/b/c"])
def test_a_path_that_is_not_there_is_404_in_the_envelope(api: Api, path: str) -> None:
    assert code(api.alice.get(path)) == (404, "not_found")


def test_a_method_that_is_not_there_is_405_in_the_envelope(api: Api) -> None:
    answer = api.alice.call("DELETE", "/v1/runs")
    assert code(answer) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_pages_beside_the_api_keep_their_own_errors(api: Api) -> None:
    assert "text/html" in api.alice.get("/nothing").headers["Content-Type"]


ROUTES = [
    ("POST", "/v1/runs", {"input": "x"}),
    ("GET", "/v1/runs", None),
    ("GET", "/v1/runs/{}", None),
    ("GET", "/v1/runs/{}/events", None),
    ("POST", "/v1/runs/{}/stop", None),
    ("POST", "/v1/runs/{}/approval", {"choice": "once"}),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_a_token_every_route_is_401(api: Api, method: str, path: str, body: object) -> None:
    run_id = api.alice.start("x")
    answer = api.alice.call(method, path.format(run_id), body, Authorization="Bearer wrong")
    assert code(answer) == (401, "invalid_api_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "body"), [r for r in ROUTES if "{}" in r[1]])
def test_a_strangers_run_looks_like_none(api: Api, method: str, path: str, body: object) -> None:
    hers = api.alice.start("x")
    nobodys = f"run_{uuid.uuid4().hex}"
    answers = [api.bob.call(method, path.format(run_id), body) for run_id in (hers, nobodys)]
    assert [code(answer) for answer in answers] == [(404, "run_not_found")] * 2
    first, second = (answer.text.replace(hers, "").replace(nobodys, "") for answer in answers)
    assert first == second
    assert run_row(api.stand.db, hers).state == "queued"


@pytest.mark.parametrize("run_id", ["run_nope", "%00", "a%0ab", "x" * 300, "%ff"])
def test_an_id_that_is_none_is_not_found(api: Api, run_id: str) -> None:
    assert code(api.alice.get(f"/v1/runs/{run_id}")) == (404, "run_not_found")


# -- idempotency --------------------------------------------------------------------------------


def test_the_same_key_and_body_give_the_first_answer_again(api: Api, session_id: str) -> None:
    body = {"input": "x", "session_id": session_id}
    key = uuid.uuid4().hex
    first, second = (api.alice.post("/v1/runs", body, Idempotency_Key=key) for _ in range(2))
    assert first.json() == second.json()
    assert first.status_code == second.status_code == 202
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(api.alice.get(f"/v1/runs?session_id={session_id}").json()["data"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"input": "y"},
        {"session_id": "another"},
        {"model": "m"},
        {"on_busy": "reject"},
        {"conversation_history": [{"role": "user", "content": "before"}]},
    ],
)
def test_the_same_key_with_another_body_is_a_conflict(
    api: Api, session_id: str, other: dict[str, Any]
) -> None:
    body, key = {"input": "x", "session_id": session_id}, uuid.uuid4().hex
    assert api.alice.post("/v1/runs", body, Idempotency_Key=key).status_code == 202
    answer = api.alice.post("/v1/runs", {**body, **other}, Idempotency_Key=key)
    assert code(answer) == (409, "idempotency_key_conflict")


def test_the_same_key_with_another_history_is_a_conflict(api: Api, session_id: str) -> None:
    body, key = {"input": "x", "session_id": session_id}, uuid.uuid4().hex
    for said, status in (("a", 202), ("a", 202), ("b", 409)):
        history = [{"role": "user", "content": said}]
        asked = {**body, "conversation_history": history}
        assert api.alice.post("/v1/runs", asked, Idempotency_Key=key).status_code == status


def test_a_key_belongs_to_its_owner(api: Api) -> None:
    key = uuid.uuid4().hex
    hers = api.alice.post("/v1/runs", {"input": "x"}, Idempotency_Key=key).json()["run_id"]
    his = api.bob.post("/v1/runs", {"input": "y"}, Idempotency_Key=key)
    assert his.status_code == 202
    assert his.json()["run_id"] != hers


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "k\xe9y"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    answer = api.alice.post("/v1/runs", {"input": "x"}, Idempotency_Key=key)
    assert code(answer) == (400, "invalid_idempotency_key")


def test_twenty_requests_with_one_key_at_once_are_one_run(api: Api, session_id: str) -> None:
    key, found = uuid.uuid4().hex, []

    def post() -> None:
        answer = api.alice.post(
            "/v1/runs", {"input": "x", "session_id": session_id}, Idempotency_Key=key
        )
        found.append((answer.status_code, answer.json()["run_id"]))

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert found[0][0] == 202


# -- limits -------------------------------------------------------------------------------------


def test_a_full_queue_is_429_with_a_time_to_wait(api: Api, session_id: str) -> None:
    for _ in range(3):
        api.alice.start("x", session_id)
    answer = api.alice.post("/v1/runs", {"input": "x", "session_id": session_id})
    assert code(answer) == (429, "queue_full")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_busy_session_is_409_for_who_does_not_want_to_wait(api: Api, session_id: str) -> None:
    api.alice.start("x", session_id)
    body = {"input": "x", "session_id": session_id, "on_busy": "reject"}
    assert code(api.alice.post("/v1/runs", body)) == (409, "session_busy")


# -- states -------------------------------------------------------------------------------------


def test_a_live_run_shows_its_last_event_and_whether_it_waits(api: Api, session_id: str) -> None:
    run_id = api.alice.start("x", session_id)
    run = api.begin(run_id, session_id)
    run.say("a")
    shown = api.alice.get(f"/v1/runs/{run_id}").json()
    assert shown["status"] == "running"
    run.append("approval.request", command="rm", choices=["once", "deny"])
    shown = api.alice.get(f"/v1/runs/{run_id}").json()
    assert (shown["status"], shown["last_event"]) == ("waiting_for_approval", "approval.request")
    path = f"/v1/runs/{run_id}/approval"
    assert code(api.alice.post(path, {"choice": "maybe"})) == (400, "invalid_approval_choice")
    answer = api.alice.post(path, {"choice": "Approved"})
    assert answer.json() == {
        "object": "hermes.run.approval_response",
        "run_id": run_id,
        "choice": "once",
        "resolved": 1,
        "approval_id": 2,
    }
    assert api.alice.get(f"/v1/runs/{run_id}").json()["status"] == "running"
    assert code(api.alice.post(path, {"choice": "once"})) == (409, "approval_not_pending")


def test_all_open_questions_are_answered_at_once(api: Api, session_id: str) -> None:
    run_id = api.alice.start("x", session_id)
    run = api.begin(run_id, session_id)
    for _ in range(3):
        run.append("approval.request", command="rm")
    path = f"/v1/runs/{run_id}/approval"
    stale = api.alice.post(path, {"choice": "deny", "approval_id": 2})
    assert code(stale) == (409, "approval_not_pending")
    assert api.alice.post(path, {"choice": "deny", "all": "true"}).json()["resolved"] == 3


def test_a_run_that_is_not_live_takes_no_answer(api: Api) -> None:
    run_id = api.alice.start("x")
    answer = api.alice.post(f"/v1/runs/{run_id}/approval", {"choice": "once"})
    assert code(answer) == (409, "approval_not_active")


def test_a_run_is_stopped_and_a_queued_one_is_cancelled(api: Api, session_id: str) -> None:
    first, second = (api.alice.start("x", session_id) for _ in range(2))
    api.begin(first, session_id)
    stopped = api.alice.post(f"/v1/runs/{first}/stop")
    assert (stopped.status_code, stopped.json()) == (200, {"run_id": first, "status": "stopping"})
    assert api.alice.get(f"/v1/runs/{first}").json()["status"] == "stopping"
    assert api.alice.post(f"/v1/runs/{second}/stop").json()["status"] == "cancelled"
    shown = api.alice.get(f"/v1/runs/{second}").json()
    assert (shown["status"], shown["reason"]) == ("cancelled", "aborted")
    assert shown["last_event"] == "run.cancelled"
    assert code(api.alice.post(f"/v1/runs/{second}/stop")) == (404, "run_not_found")


def end(api: Api, run_id: str, verb: Move, payload: dict[str, Any], **columns: Any) -> None:
    """Write the end of a run as a worker would, without an announcement."""

    def work(tx: Any) -> None:
        row = tx.get(RunRow, run_id)
        name = "run.failed" if verb is Move.FAIL else "run.completed"
        fix_end(tx, row, verb, [(name, payload)], last_seq=0, **columns)

    api.stand.db.write(work)


def test_an_ended_run_has_the_gateways_fields(api: Api, session_id: str) -> None:
    run_id = api.alice.start("x", session_id)
    api.begin(run_id, session_id)
    usage = {"input_tokens": 3, "output_tokens": 4}
    end(api, run_id, Move.COMPLETE, {"status": "completed"}, output="answer", usage=usage)
    run = api.alice.get(f"/v1/runs/{run_id}").json()
    assert (run["status"], run["output"], run["last_event"]) == (
        "completed",
        "answer",
        "run.completed",
    )
    assert run["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.mark.parametrize(
    ("reason", "status"), [("gateway_error", "failed"), ("worker_lost", "interrupted")]
)
def test_a_run_whose_process_died_is_interrupted(
    api: Api, session_id: str, reason: str, status: str
) -> None:
    run_id = api.alice.start("x", session_id)
    api.begin(run_id, session_id)
    end(api, run_id, Move.FAIL, {"error": "It broke.", "reason": reason}, reason=reason)
    run = api.alice.get(f"/v1/runs/{run_id}").json()
    assert (run["status"], run["error"], run["reason"]) == (status, "It broke.", reason)
    for word, there in ((status, True), ("completed", False)):
        listed = api.alice.get(f"/v1/runs?status={word}&session_id={session_id}").json()["data"]
        assert bool(listed) is there


def test_a_stopped_run_is_cancelled(api: Api, session_id: str) -> None:
    run_id = api.alice.start("x", session_id)
    api.begin(run_id, session_id)
    end(api, run_id, Move.ABORT, {"status": "aborted"}, reason="aborted")
    run = api.alice.get(f"/v1/runs/{run_id}").json()
    assert (run["status"], run["last_event"]) == ("cancelled", "run.cancelled")


# -- lists --------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_in_pages(api: Api) -> None:
    session = f"session-{uuid.uuid4().hex}"
    made = [api.alice.start("x", session) for _ in range(3)]
    query, seen = f"/v1/runs?limit=2&session_id={session}", []
    first = api.alice.get(query).json()
    assert (first["object"], first["has_more"]) == ("list", True)
    second = api.alice.get(f"{query}&cursor={first['next_cursor']}").json()
    assert (second["has_more"], second["next_cursor"]) == (False, None)
    seen = [run["run_id"] for page in (first, second) for run in page["data"]]
    assert seen == made[::-1]
    assert [run["queue_position"] for run in first["data"]] == [3, 2]
    assert api.bob.get(query).json()["data"] == []
    stolen = api.bob.get(f"/v1/runs?cursor={first['next_cursor']}").json()["data"]
    assert not {run["run_id"] for run in stolen} & set(made)


def test_runs_of_one_moment_are_each_listed_once(api: Api) -> None:
    session = f"session-{uuid.uuid4().hex}"
    made = {api.alice.start("x", session) for _ in range(3)}
    query = update(RunRow).where(RunRow.session_id == session).values(created_at=1.5)
    api.stand.db.write(lambda tx: tx.execute(query))
    seen, cursor = [], ""
    for _ in range(3):
        page = api.alice.get(f"/v1/runs?limit=1&session_id={session}&cursor={cursor}").json()
        seen += [run["run_id"] for run in page["data"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(made)
    assert api.alice.get(f"/v1/runs?session_id={session}&since=2").json()["data"] == []
    assert len(api.alice.get(f"/v1/runs?session_id={session}&until=2").json()["data"]) == 3


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("limit=0", "invalid_payload"),
        ("limit=101", "invalid_payload"),
        ("limit=x", "invalid_payload"),
        ("status=sleeping", "invalid_payload"),
        ("since=yesterday", "invalid_payload"),
        ("cursor=nonsense", "invalid_cursor"),
        ("cursor=WyJhIiwxXQ", "invalid_cursor"),
        ("cursor=%00", "invalid_cursor"),
        ("session_id=%00", "invalid_payload"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str, wanted: str) -> None:
    assert code(api.alice.get(f"/v1/runs?{query}")) == (400, wanted)


def test_the_description_is_valid_and_names_every_route(api: Api) -> None:
    description = requests.get(f"{api.url}/openapi.json", timeout=10).json()
    validate(description)
    assert description["openapi"].startswith("3.1")
    paths = {(m.upper(), p) for p, methods in description["paths"].items() for m in methods}
    assert {(method, path.replace("{}", "{run_id}")) for method, path, _ in ROUTES} <= paths


def test_log_entries_are_as_tests_think() -> None:
    assert encode("approval.request", {}).startswith(b'["approval.')
