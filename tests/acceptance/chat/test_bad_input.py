"""What a client sends wrongly is answered clearly and harms nobody."""

from __future__ import annotations

from typing import Any

import pytest
from socketio.exceptions import ConnectionError as Refused

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.servers.stack import Stack

GIANT = 900_000
LARGEST_FRAME = 1_000_000  # FRAME_MAX_BYTES of the stack


@pytest.mark.parametrize("token", [None, "", "wrong", 7, ["wrong"], {"a": 1}])
def test_without_the_right_token_a_connection_is_refused(
    stack: Stack, client_loop: ClientLoop, token: Any
) -> None:
    stranger = SocketClient(client_loop, stack.url, token)
    with pytest.raises(Refused):
        stranger.connect()
    assert [error["message"] for error in stranger.errors] == ["Authentication failed"]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        7,
        ["a list"],
        {},
        {"input": None},
        {"input": ""},
        {"input": " \n "},
        {"input": 7},
        {"input": {"text": "an object"}},
        {"input": []},
        {"input": ["text"]},
        {"input": [{"nothing": "known"}]},
        {"input": "x", "session_id": 7},
        {"input": "x", "session_id": ""},
        {"input": "x", "session_id": "s" * 10_000},
        {"input": "x", "session_id": "a\x00b"},
        {"input": "x", "session_id": "a\nb"},
        {"input": "x", "session_id": "a\ud800b"},
        {"input": "x", "model": 7},
        {"input": "x", "instructions": ["x"]},
        {"input": "x", "client_request_id": 7},
        {"input": "x", "on_busy": "explode"},
    ],
    ids=lambda payload: ascii(payload)[:40],
)
def test_a_bad_run_is_refused_with_a_reason_in_either_way_of_asking(
    client: SocketClient, session_id: str, payload: Any
) -> None:
    answer = client.call("run", payload)
    assert not answer["ok"]
    assert answer["error"]["code"] == "invalid_payload"
    assert isinstance(answer["error"]["message"], str)
    client.emit("run", payload)
    failed = client.wait_for("run.failed")
    assert isinstance(failed["error"], str)
    assert failed["reason"] == "invalid_payload"
    assert client.end(client.run(talk(2), session_id))["event"] == "run.completed"


@pytest.mark.parametrize("event", ["resume", "abort", "queue.cancel"])
@pytest.mark.parametrize("payload", [None, "text", {}, {"session_id": 7}, {"session_id": "a\x00b"}])
def test_other_bad_requests_are_answered_with_an_error(
    client: SocketClient, event: str, payload: Any
) -> None:
    answer = client.call(event, payload)
    assert answer["error"]["code"] == "invalid_payload"
    client.emit(event, payload)
    assert client.wait_for("error")["code"] == "invalid_payload"


def test_an_event_that_does_not_exist_is_answered_with_an_error(client: SocketClient) -> None:
    assert client.call("explode", {})["error"]["code"] == "unknown_event"


def test_an_unknown_profile_fails_at_run_and_not_at_connect(
    stack: Stack, connect: Clients, session_id: str
) -> None:
    client = connect(stack, profile="no-such-profile")
    refused = client.call("run", {"input": "x", "session_id": session_id})
    assert refused["error"]["code"] == "unknown_profile"
    assert client.resume(session_id)["messages"] == []


def test_an_input_of_900_kb_is_answered_like_any_other(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    text = talk(5) + "x" * GIANT
    run_id = client.run(text, session_id)
    assert client.end(run_id)["status"] == "completed"
    assert_whole(client, run_id, 5)
    (posted,) = stack.posts(run_id)
    assert posted["body"]["input"] == text
    shown = client.resume(session_id)["messages"]
    assert [len(m["content"]) for m in shown] == [len(text), len(numbered(5))]


def test_a_frame_over_the_limit_closes_its_connection_and_harms_no_other(
    stack: Stack, connect: Clients, session_id: str
) -> None:
    calm, greedy = connect(stack), connect(stack)
    run_id = calm.run(talk(300, rate=100), session_id)
    calm.wait_for("message.delta")
    greedy.emit("run", {"input": "x" * (LARGEST_FRAME + 100_000)})
    greedy.wait_for("disconnect")
    assert not calm.all("run.completed")
    assert calm.end(run_id)["status"] == "completed"
    assert_whole(calm, run_id, 300)


def test_an_unknown_session_is_shown_empty(client: SocketClient, session_id: str) -> None:
    shown = client.resume(session_id)
    assert shown["messages"] == []
    assert shown["events"] == []
    assert shown["isWorking"] is False
    assert (shown["inputTokens"], shown["outputTokens"]) == (0, 0)


def test_stopping_nothing_is_answered_and_changes_nothing(
    client: SocketClient, session_id: str
) -> None:
    assert client.abort(session_id)["error"]["code"] == "not_found"
    mark = client.mark()
    client.emit("abort", {"session_id": session_id})
    run_id = client.run(talk(3), session_id)
    client.end(run_id)
    assert_whole(client, run_id, 3)
    assert not client.all("error", since=mark)


def test_nul_characters_and_lone_surrogates_are_replaced_and_everything_else_is_kept(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    said = talk(3) + "\x00a\ud800b\udfffc é 漢 🙂"
    run_id = client.run(said, session_id)
    assert client.end(run_id)["status"] == "completed"
    user = client.resume(session_id)["messages"][0]
    assert user["content"].startswith(talk(3))
    assert user["content"].endswith("c é 漢 🙂")
    assert not set("\x00\ud800\udfff").intersection(user["content"])
    (posted,) = stack.posts(run_id)
    assert posted["body"]["input"] == user["content"]


def test_content_blocks_and_messages_are_inputs_too(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    blocks = [{"type": "text", "text": talk(2)}, {"type": "text", "text": "second"}]
    for given in (blocks, [{"role": "user", "content": talk(2)}]):
        run_id = client.run(given, session_id)
        assert client.end(run_id)["status"] == "completed"
        assert_whole(client, run_id, 2)
    users = [m for m in client.resume(session_id)["messages"] if m["role"] == "user"]
    assert [m["content"] for m in users] == [f"{talk(2)}\nsecond", talk(2)]
