"""Stopping a run, at every moment of its life."""

from __future__ import annotations

from functools import partial

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.recording import Payload
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack


def assert_aborted(end: Payload) -> None:
    assert end["event"] == "run.completed"
    assert (end["status"], end["finish_reason"]) == ("aborted", "aborted")


def test_a_run_that_is_stopped_while_it_streams_keeps_its_text_and_notifies_every_tab(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    tab = connect(stack, protocol=None)
    tab.resume(session_id)
    for turn in (1, 2):
        run_id = client.run(talk(1000, rate=100), session_id)
        client.wait_until(partial(client.deltas, run_id), what="some text")
        answer = client.abort(session_id)
        assert answer == {
            "ok": True,
            "run_id": run_id,
            "session_id": session_id,
            "status": "stopping",
        }
        for recording in (client, tab):
            assert_aborted(recording.end(run_id))
            assert recording.all("abort.completed", run_id=run_id)[0]["synced"] is True
            assert recording.names(run_id)[-2:] == ["usage.updated", "run.completed"]
        (posted,) = stack.posts(run_id)
        assert posted["stops"] >= 1
        assert posted["status"] == "cancelled"
        rows = stack.messages(run_id)
        assert [(row.role, row.finish_reason) for row in rows] == [
            ("user", None),
            ("assistant", "aborted"),
        ]
        assert rows[1].content.strip() == client.deltas(run_id).strip()
        assert numbered(1000).startswith(rows[1].content.strip())
        assert len(client.resume(session_id)["messages"]) == 2 * turn
    assert stack.run_row(run_id).state == "aborted"
    following = client.run(talk(5), session_id)
    assert client.end(following)["status"] == "completed"
    assert_whole(client, following, 5)
    assert_whole(tab, following, 5)


def test_a_run_that_is_stopped_while_it_waits_never_reaches_the_gateway(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    first = client.run(talk(200, rate=100), session_id)
    second = client.run(talk(5), session_id)
    assert client.wait_for("run.queued")["run_id"] == second
    assert client.abort(session_id, run_id=second)["ok"]
    assert client.end(second)["event"] == "run.cancelled"
    assert client.end(first)["status"] == "completed"
    assert_whole(client, first, 200)
    assert stack.posts(second) == []
    assert client.resume(session_id)["queue"] == []
    assert "run.started" not in client.names(second)


def test_a_stop_right_after_the_message_ends_it_once_and_the_gateway_too(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    asked = {"input": talk(1000, rate=100), "session_id": session_id}
    for _ in range(8):
        ran, stopped = client.call_all(("run", asked), ("abort", {"session_id": session_id}))
        assert ran["ok"], ran
        assert stopped["ok"], stopped
        run_id = ran["run_id"]
        assert stopped["run_id"] == run_id
        end = client.end(run_id)
        if end["event"] != "run.cancelled":  # it was claimed before the stop came
            assert_aborted(end)
        assert stack.run_row(run_id).state == "aborted"
        wait_until(partial(all_cancelled, stack, run_id), what="the gateway has stopped too")
    following = client.run(talk(5), session_id)
    assert client.end(following)["status"] == "completed"


def all_cancelled(stack: Stack, run_id: str) -> bool:
    """Whether nothing that the gateway got of this run goes on."""
    return all(post["status"] == "cancelled" for post in stack.posts(run_id))


def test_a_stop_while_the_gateway_is_being_asked_stops_what_it_takes_on(
    stack: Stack, client: SocketClient, faulty: DemoGateway, session_id: str
) -> None:
    faulty.faults(post_hang_seconds=1, count=1)
    run_id = client.run(talk(1000, rate=100), session_id)
    wait_until(lambda: stack.posts(run_id), what="the post has arrived")
    assert client.abort(session_id)["status"] == "stopping"
    assert_aborted(client.end(run_id))
    (posted,) = stack.posts(run_id)
    assert posted["status"] == "cancelled"


def test_a_stop_after_the_end_changes_nothing(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(3), session_id)
    client.end(run_id)
    mark = client.mark()
    assert client.abort(session_id)["error"]["code"] == "not_found"
    assert client.abort(session_id, run_id=run_id)["status"] == "completed"
    client.resume(session_id)
    assert not client.names(run_id, since=mark)
    assert stack.run_row(run_id).state == "completed"


def test_many_stops_at_once_are_one(stack: Stack, client: SocketClient, session_id: str) -> None:
    run_id = client.run(talk(1000, rate=100, stop_delay=0.5), session_id)
    client.wait_for("message.delta")
    answers = client.call_all(*[("abort", {"session_id": session_id})] * 6)
    assert {answer.get("run_id") for answer in answers} == {run_id}
    assert_aborted(client.end(run_id))
    assert client.names(run_id).count("abort.started") == 1
    assert client.names(run_id).count("abort.completed") == 1


def test_a_gateway_that_does_not_stop_in_time_is_not_waited_for(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(2000, rate=100, stop_delay=8), session_id)
    client.wait_for("message.delta")
    client.abort(session_id)
    assert_aborted(client.end(run_id))
    assert client.all("abort.completed", run_id=run_id)[0]["synced"] is False
    following = client.run(talk(3), session_id)
    assert client.end(following)["status"] == "completed"


@pytest.mark.parametrize("moment", ["run.started", "tool.started"])
def test_a_stop_before_any_text_keeps_the_question(
    stack: Stack, client: SocketClient, session_id: str, moment: str
) -> None:
    tool = {"after": 0, "name": "sleep", "seconds": 30}
    run_id = client.run(talk(5, tools=[tool]), session_id)
    client.wait_for(moment)
    client.abort(session_id)
    assert_aborted(client.end(run_id))
    assert stack.messages(run_id)[0].content.startswith("[[demo")
    assert client.resume(session_id)["messages"][0]["role"] == "user"


def test_a_run_without_a_session_can_be_stopped_by_its_id(
    stack: Stack, client: SocketClient
) -> None:
    run_id = client.run(talk(1000, rate=100))
    client.wait_for("message.delta")
    assert client.call("abort", {"run_id": run_id})["ok"]
    assert_aborted(client.end(run_id))
    assert stack.run_row(run_id).state == "aborted"


def test_an_interrupting_message_stops_the_live_run_and_is_next(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    first = client.run(talk(1000, rate=100), session_id)
    client.wait_for("message.delta")
    second = client.run(talk(5), session_id, on_busy="interrupt")
    assert_aborted(client.end(first))
    assert client.end(second)["status"] == "completed"
    assert_whole(client, second, 5)
