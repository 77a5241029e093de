"""Sessions over HTTP on real processes: chats, and streams that outlive web processes."""

from __future__ import annotations

import json
import signal
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import requests

from tests.acceptance.answers import numbered, talk
from tests.acceptance.chat.test_http_api import client_of
from tests.support.http_api import ApiClient, SessionFollower, texts_of
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

Event = tuple[str, dict[str, Any]]


def test_a_chat_gets_the_answer_of_its_run(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    api.post("/api/sessions", {"id": session_id})
    answer = api.post(f"/api/sessions/{session_id}/chat", {"message": talk(20)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Hermes-Session-Id"] == session_id
    body = answer.json()
    assert body["message"] == {"role": "assistant", "content": numbered(20)}
    assert api.get(f"/v1/runs/{body['run_id']}").json()["output"] == numbered(20)


def test_a_chat_with_the_same_key_is_one_run(stack: Stack, session_id: str) -> None:
    api, key = client_of(stack), uuid.uuid4().hex
    api.post("/api/sessions", {"id": session_id})
    path, body = f"/api/sessions/{session_id}/chat", {"message": talk(5)}
    first, again = (api.post(path, body, Idempotency_Key=key).json() for _ in range(2))
    assert first == again
    assert len(stack.posts(first["run_id"])) == 1


def test_a_chat_is_streamed_in_the_gateways_events(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    api.post("/api/sessions", {"id": session_id})
    with chat(api, session_id, talk(20)) as response:
        events = list(events_of(response))
    names = [name for name, _ in events]
    assert names[:2] == ["run.started", "message.started"]
    assert names[-3:] == ["assistant.completed", "run.completed", "done"]
    deltas = [event["delta"] for name, event in events if name == "assistant.delta"]
    assert "".join(deltas) == numbered(20) == events[-3][1]["content"]
    assert [event["seq"] for _, event in events] == list(range(1, len(events) + 1))
    assert {event["session_id"] for _, event in events} == {session_id}
    (message,) = events[-2][1]["messages"]
    assert message["content"] == numbered(20)


def test_a_client_that_leaves_its_chat_stops_nothing(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    api.post("/api/sessions", {"id": session_id})
    with chat(api, session_id, talk(100, rate=50)) as response:
        seen = next(event for name, event in events_of(response) if name == "assistant.delta")
    run_id = seen["run_id"]
    list(api.events(run_id))
    assert api.get(f"/v1/runs/{run_id}").json()["output"] == numbered(100)


def test_a_failed_chat_says_why(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    api.post("/api/sessions", {"id": session_id})
    said = '[[demo {"say": "x", "end": "failed"}]]'
    answer = api.post(f"/api/sessions/{session_id}/chat", {"message": said})
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "gateway_error"
    with chat(api, session_id, said) as response:
        names = [name for name, _ in events_of(response)]
    assert names[-2:] == ["error", "done"]


def test_a_chat_waits_for_the_run_before_it(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    first = api.start(talk(50, rate=50), session_id)
    answer = api.post(f"/api/sessions/{session_id}/chat", {"message": talk(3)})
    assert answer.json()["message"]["content"] == numbered(3)
    assert api.get(f"/v1/runs/{first}").json()["status"] == "completed"


def test_readers_of_a_session_survive_web_processes_that_are_killed(
    stack: Stack, session_id: str
) -> None:
    api = client_of(stack)
    api.post("/api/sessions", {"id": session_id})
    readers = [SessionFollower(api, session_id) for _ in range(3)]
    runs = [api.start(talk(150, rate=50), session_id) for _ in range(3)]
    wait_until_joined(readers, [0, 0, 0])
    for count in (60, 250):
        wait_until(lambda c=count: len(readers[0].placed) > c, within=30, what="more text")  # type: ignore[misc]
        before = [reader.joined for reader in readers]
        stack.restart_web(0, signal.SIGKILL)
        # Who is still away when the session is deleted finds nothing, and receives nothing.
        wait_until_joined(readers, before)
    for reader in readers:
        reader.wait_for("run.completed", 3, within=60)
        assert texts_of(reader.placed) == dict.fromkeys(runs, numbered(150))
        assert reader.names().count("run.completed") == 3
        assert len({frame.id for frame in reader.placed}) == len(reader.placed)
    threading.Thread(target=api.call, args=("DELETE", f"/api/sessions/{session_id}")).start()
    for reader in readers:
        assert reader.wait()[-1].event["event"] == "session.deleted"


def wait_until_joined(readers: list[SessionFollower], before: list[int]) -> None:
    """Until each has been let in once more than `before`."""
    wait_until(
        lambda: all(reader.joined > n for reader, n in zip(readers, before, strict=True)),
        within=30,
        what="all readers are back",
    )


def chat(api: ApiClient, session_id: str, said: str) -> requests.Response:
    """The stream of a chat, opened."""
    response = requests.post(
        f"{api.url}/api/sessions/{session_id}/chat/stream",
        json={"message": said},
        headers={"Authorization": f"Bearer {api.token}"},
        stream=True,
        timeout=30,
    )
    assert response.status_code == 200, response.text
    return response


def events_of(response: requests.Response) -> Iterator[Event]:
    """Names and payloads, as they come."""
    name = ""
    for line in response.iter_lines(chunk_size=None, decode_unicode=True):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
