"""A chat turn from the message to its end, as clients see it."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients, JsClients
from tests.support.clients.socket_client import SocketClient
from tests.support.recording import Recording, answer
from tests.support.servers.stack import Stack

CUTS = (1, 40, 80)  # words received, of 240


def test_a_turn_is_received_from_its_start_to_its_end_and_is_stored(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(40), session_id)
    end = client.end(run_id)
    assert_whole(client, run_id, 40)
    assert (end["status"], end["finish_reason"]) == ("completed", "stop")
    assert end["inputTokens"] > 0
    assert end["outputTokens"] > 0
    shown = client.resume(session_id)
    assert [(m["role"], m["content"]) for m in shown["messages"]] == [
        ("user", talk(40)),
        ("assistant", numbered(40)),
    ]
    assert shown["isWorking"] is False
    assert stack.stored_answer(run_id) == numbered(40)


def test_the_javascript_client_receives_the_same_turn(
    stack: Stack, js_client: JsClients, connect: Clients, session_id: str
) -> None:
    javascript, python = js_client(stack), connect(stack)
    python.resume(session_id)
    got = javascript.acknowledged("run", {"input": talk(40), "session_id": session_id})
    assert got["ok"]
    assert javascript.end(got["run_id"]) == python.end(got["run_id"])
    assert_whole(javascript, got["run_id"], 40)
    assert_whole(python, got["run_id"], 40)


def test_a_socket_io_client_that_begins_with_polling_receives_everything_too(
    stack: Stack, js_client: JsClients, session_id: str
) -> None:
    javascript = js_client(stack, options={"transports": ["polling", "websocket"]})
    got = javascript.acknowledged("run", {"input": talk(60), "session_id": session_id})
    javascript.end(got["run_id"])
    assert_whole(javascript, got["run_id"], 60)


@pytest.mark.parametrize("cut", CUTS)
def test_a_client_that_joins_in_the_middle_is_shown_the_text_so_far_and_then_the_rest(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str, cut: int
) -> None:
    run_id = client.run(talk(240, rate=100), session_id)
    client.wait_until(partial(has_received, client, run_id, cut), what=f"{cut} words")
    late = connect(stack)
    shown = late.resume(session_id)
    assert shown["isWorking"] is True
    assert (shown["run_id"], shown["status"]) == (run_id, "running")
    late.end(run_id)
    so_far = answer(shown, run_id)
    assert len(so_far.split()) >= cut
    assert so_far + late.deltas(run_id) == numbered(240)
    seqs = late.seqs(run_id)
    assert seqs == list(range(shown["seq"] + 1, shown["seq"] + 1 + len(seqs)))


def test_a_client_that_knows_its_cursor_gets_only_what_it_missed(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    run_id = client.run(talk(60, rate=100), session_id)
    client.wait_until(lambda: len(client.seqs(run_id)) >= 10, what="ten events")
    last = client.all(run_id=run_id)[-1]
    late = connect(stack)
    late.call(
        "resume",
        {
            "session_id": session_id,
            "run_id": run_id,
            "epoch": last["epoch"],
            "after_seq": last["seq"],
        },
    )
    client.end(run_id)
    late.end(run_id)
    whole = client.seqs(run_id)
    assert late.seqs(run_id) == whole[whole.index(last["seq"]) + 1 :]
    before = "".join(
        p["delta"] for p in client.all("message.delta", run_id=run_id) if p["seq"] <= last["seq"]
    )
    assert before + late.deltas(run_id) == numbered(60)


def test_many_resumes_at_once_on_one_socket_double_nothing(
    client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(100, rate=100), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 50, what="some text")
    client.call_all(*[("resume", {"session_id": session_id})] * 12)
    client.end(run_id)
    assert len(client.all("resumed")) == 12
    assert_whole_without_resumes(client, run_id)
    assert client.text(run_id) == numbered(100)


def assert_whole_without_resumes(client: SocketClient, run_id: str) -> None:
    """The socket was a member all the time: each event came once."""
    seqs = client.seqs(run_id)
    assert seqs == list(range(1, len(seqs) + 1))
    assert client.deltas(run_id) == numbered(100)


def test_resumes_at_random_moments_from_many_sockets_always_add_up_to_the_whole_text(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    whole = numbered(200).strip()
    moments = sorted(random.sample(range(1, 180), 8))  # words received
    late = [connect(stack, who=f"late at word {moment}") for moment in moments]
    run_id = client.run(talk(200, rate=150), session_id)
    for one, moment in zip(late, moments, strict=True):
        client.wait_until(partial(has_received, client, run_id, moment), what=f"word {moment}")
        one.emit("resume", {"session_id": session_id})
        one.emit("resume", {"session_id": session_id})
    client.end(run_id)
    for one in (client, *late):
        one.wait_until(partial(shows, one, run_id, whole), what="the whole text")


def shows(client: SocketClient, run_id: str, text: str) -> bool:
    return client.text(run_id).strip() == text


def has_received(client: SocketClient, run_id: str, words: int) -> bool:
    return len(client.deltas(run_id).split()) >= words


def test_resume_never_starts_work(stack: Stack, client: SocketClient, session_id: str) -> None:
    run_id = client.run(talk(3), session_id)
    client.end(run_id)
    for _ in range(5):
        assert client.resume(session_id)["isWorking"] is False
    assert len(stack.posts(run_id)) == 1
    assert stack.run_row(run_id).state == "completed"


def test_a_run_without_a_session_is_received_by_its_sender_and_can_be_resumed_by_its_id(
    stack: Stack, client: SocketClient, connect: Clients
) -> None:
    run_id = client.run(talk(200, rate=100))
    client.wait_for("message.delta")
    late = connect(stack)
    late.call("resume", {"run_id": run_id})
    shown = late.wait_for("resumed")
    assert "session_id" not in shown
    client.end(run_id)
    late.end(run_id)
    assert_whole(client, run_id, 200)
    assert late.text(run_id) == numbered(200)
    assert stack.messages(run_id) == []
    assert stack.run_row(run_id).output == numbered(200)
    after = connect(stack)
    after.call("resume", {"run_id": run_id})
    assert after.wait_for("resumed")["messages"][-1]["content"] == numbered(200)


def test_a_repeated_request_is_the_same_run_and_posts_once(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    asked = {"input": talk(30), "session_id": session_id, "client_request_id": "only-once"}
    answers = client.call_all(*[("run", asked)] * 5)
    again = connect(stack)
    answers.append(again.call("run", asked))
    run_ids = {answer["run_id"] for answer in answers}
    assert len(run_ids) == 1, answers
    (run_id,) = run_ids
    client.end(run_id)
    again.end(run_id)
    assert_whole(client, run_id, 30)
    assert len(stack.posts(run_id)) == 1
    other = client.call("run", {**asked, "input": "something else"})
    assert other["error"]["code"] == "request_conflict"
    assert client.call("run", asked)["run_id"] == run_id


def test_two_tabs_receive_both_turns_and_a_third_session_receives_neither(
    stack: Stack,
    client: SocketClient,
    connect: Clients,
    session_id: str,
    new_session: Callable[[], str],
) -> None:
    tab, stranger = connect(stack), connect(stack)
    tab.resume(session_id)
    stranger.resume(new_session())
    turns = [client.run(talk(10), session_id), client.run(talk(15), session_id)]
    for tokens, run_id in zip((10, 15), turns, strict=True):
        client.end(run_id)
        tab.end(run_id)
        assert_whole(client, run_id, tokens)
        assert_whole(tab, run_id, tokens)
    assert stranger.names() == ["connect", "resumed"]


def test_the_second_of_two_messages_at_once_waits_its_turn(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    tab = connect(stack)
    tab.resume(session_id)
    inputs = [talk(40, rate=100), talk(25, rate=100)]
    answers = client.call_all(*[("run", {"input": i, "session_id": session_id}) for i in inputs])
    first, second = (answer["run_id"] for answer in answers)
    for recording in (client, tab):
        recording.end(first)
        recording.end(second)
        assert_queued(recording, first, second)
        assert_whole(recording, first, 40)
        assert_whole(recording, second, 25)
    shown = client.resume(session_id)["messages"]
    assert [(m["role"], m["content"]) for m in shown] == [
        ("user", inputs[0]),
        ("assistant", numbered(40)),
        ("user", inputs[1]),
        ("assistant", numbered(25)),
    ]
    (posted,) = stack.posts(second)
    assert numbered(40).strip() in str(posted["body"]["conversation_history"])


def assert_queued(recording: Recording, first: str, second: str) -> None:
    """`run.queued` of the second came before its start, and that after the first one's end."""
    queued = recording.wait_for("run.queued")
    assert queued["run_id"] == second
    states = [(h.name, h.payload.get("run_id")) for h in recording.received]
    assert states.index(("run.queued", second)) < states.index(("run.started", second))
    assert states.index(("run.completed", first)) < states.index(("run.started", second))
    assert states.count(("run.queued", second)) == 1
