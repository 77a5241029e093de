"""`POST /runs`: input that is too large for a socket's frame (P15)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.acceptance.answers import assert_whole, talk
from tests.support.clients.socket_client import SocketClient
from tests.support.servers.stack import TOKEN, Stack

Headers = dict[str, str]
JSON: Headers = {"Content-Type": "application/json"}
BEARER: Headers = {"Authorization": f"Bearer {TOKEN}", **JSON}


def post(stack: Stack, body: object, headers: Headers = BEARER, **params: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{stack.url}/runs", data=data, headers=headers, params=params, timeout=30)


def test_a_run_of_five_megabytes_is_taken_and_watched_on_a_socket(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    client.resume(session_id)
    text = f"{talk(20)} {'x' * 5_000_000}"
    answer = post(stack, {"input": text, "session_id": session_id})
    assert answer.status_code == 202
    accepted = answer.json()
    assert (accepted["ok"], accepted["session_id"], accepted["status"]) == (
        True,
        session_id,
        "queued",
    )
    assert client.end(accepted["run_id"], within=60)["status"] == "completed"
    assert_whole(client, accepted["run_id"], 20)
    (posted,) = stack.posts(accepted["run_id"])
    assert posted["body"]["input"] == text


def test_a_run_without_a_session_is_found_by_its_id(stack: Stack, client: SocketClient) -> None:
    accepted = post(stack, {"input": talk(300, rate=100)}).json()
    assert "session_id" not in accepted
    client.call("resume", {"run_id": accepted["run_id"]})
    assert client.end(accepted["run_id"])["status"] == "completed"


def test_sent_twice_it_is_one_run(stack: Stack, session_id: str) -> None:
    body = {"input": talk(3), "session_id": session_id, "client_request_id": "once"}
    first, second = (post(stack, body).json() for _ in range(2))
    assert first["run_id"] == second["run_id"]
    other = post(stack, {**body, "input": "something else"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "request_conflict")


@pytest.mark.parametrize(
    ("body", "headers", "params", "status", "code"),
    [
        ({"input": "hi"}, JSON, {}, 401, "unauthenticated"),
        ({"input": "hi"}, {**BEARER, "Authorization": "Bearer no"}, {}, 401, "unauthenticated"),
        ({"input": "hi"}, {**BEARER, "Content-Type": "text/plain"}, {}, 400, "invalid_payload"),
        ({"input": ""}, BEARER, {}, 400, "invalid_payload"),
        ([], BEARER, {}, 400, "invalid_payload"),
        (b"{broken", BEARER, {}, 400, "invalid_payload"),
        (b"\xff", BEARER, {}, 400, "invalid_payload"),
        ({"input": "hi"}, BEARER, {"profile": "nobody"}, 400, "unknown_profile"),
        (b'{"input": "' + b"x" * 9_000_000 + b'"}', BEARER, {}, 413, "too_large"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_reason(
    stack: Stack, body: Any, headers: Headers, params: Headers, status: int, code: str
) -> None:
    answer = post(stack, body, headers, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["ok"] is False
