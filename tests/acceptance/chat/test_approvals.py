"""The agent asks before it acts; a person answers, once, in time or not (R10, FAILURES 28)."""

from __future__ import annotations

from tests.acceptance.answers import talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack


def asking(command: str = "rm -rf build", **fields: object) -> str:
    return talk(4, approval={"after": 2, "command": command, **fields})


def test_a_question_reaches_every_tab_is_shown_again_and_is_answered_once(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    tab = connect(stack)
    tab.resume(session_id)
    run_id = client.run(asking(), session_id)
    asked = [recording.wait_for("approval.request") for recording in (client, tab)]
    assert asked[0]["command"] == "rm -rf build"
    assert asked[0]["seq"] == asked[1]["seq"]
    shown = connect(stack).resume(session_id)["events"]
    assert [e["data"]["seq"] for e in shown if e["event"] == "approval.request"] == [
        asked[0]["seq"]
    ]
    answer = {"session_id": session_id, "run_id": run_id, "approval_id": asked[0]["seq"]}
    first = client.call("approval", {**answer, "choice": "once"})
    assert (first["ok"], first["approval_id"]) == (True, asked[0]["seq"])
    second = tab.call("approval", {**answer, "choice": "deny"})
    assert (second["ok"], second["error"]["code"]) == (False, "expired")
    assert client.wait_for("approval.responded")["choice"] == "once"
    assert client.end(run_id)["status"] == "completed"
    late = client.call("approval", {**answer, "choice": "once"})
    assert late["error"]["code"] == "not_found"


def test_a_question_can_be_denied(stack: Stack, client: SocketClient, session_id: str) -> None:
    run_id = client.run(asking(), session_id)
    client.wait_for("approval.request")
    assert client.call("approval", {"session_id": session_id, "choice": "deny"})["ok"]
    assert client.wait_for("approval.responded")["choice"] == "deny"
    client.end(run_id)


def test_an_answer_to_another_question_than_the_open_one_is_refused(
    client: SocketClient, session_id: str
) -> None:
    run_id = client.run(asking(), session_id)
    asked = client.wait_for("approval.request")
    answer = {"session_id": session_id, "choice": "once"}
    other = client.call("approval", {**answer, "approval_id": asked["seq"] + 1})
    assert other["error"]["code"] == "expired"
    assert client.call("approval", answer)["ok"]
    client.end(run_id)


def test_an_answer_to_nothing_a_strangers_or_a_senseless_one_is_refused(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(2000, rate=100), session_id)
    client.wait_for("run.started")
    cases = [
        ({"session_id": session_id, "choice": "once"}, "expired"),
        ({"session_id": session_id, "choice": "once", "approval_id": 999}, "expired"),
        ({"session_id": "another", "choice": "once"}, "not_found"),
        ({"run_id": "run_unknown", "choice": "once"}, "not_found"),
        ({"session_id": session_id, "choice": "perhaps"}, "invalid_payload"),
        ({"choice": "once"}, "invalid_payload"),
    ]
    for payload, code in cases:
        assert client.call("approval", payload)["error"]["code"] == code, payload
    client.abort(session_id)
    client.end(run_id)


def test_an_answer_that_the_gateway_no_longer_waits_for_is_said_to_be_late(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(400, rate=50, approval={"after": 1, "timeout": 0.2}), session_id)
    asked = client.wait_for("approval.request")
    wait_until(lambda: len(client.deltas(run_id)) > len("t1 t2 "), what="it goes on alone")
    client.call("approval", {"session_id": session_id, "choice": "once"})
    assert client.wait_for("approval.expired")["approval_id"] == asked["seq"]
    client.abort(session_id)
    client.end(run_id)
