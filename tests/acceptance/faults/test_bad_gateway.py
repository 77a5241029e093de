"""Whatever the gateway does, the run ends once with a reason, and its session goes on."""

from __future__ import annotations

import json
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import OrphanRow
from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

LARGEST_EVENT = 100_000  # bytes of any live event on the wire
GIANT = 5_000_000


def gateway_at(port: int) -> DemoGateway:
    return DemoGateway.start(key="key-of-the-closed-one", max_runs=0, port=port)


def test_a_gateway_that_refuses_connections_is_tried_again_and_then_the_run_fails(
    stack: Stack, connect: Clients, closed_port: int, session_id: str
) -> None:
    client = connect(stack, profile="closed")
    run_id = client.run(talk(5), session_id)
    retrying = client.wait_for("run.retrying")
    assert retrying["reason"] == "gateway_unreachable"
    assert retrying["delay"] > 0
    failed = client.end(run_id)
    assert failed["event"] == "run.failed"
    assert failed["reason"] == "gateway_unreachable"
    assert isinstance(failed["error"], str)
    shown = client.resume(session_id)
    assert shown["isWorking"] is False
    assert [m["role"] for m in shown["messages"]] == ["user"]
    with gateway_at(closed_port):
        following = client.run(talk(5), session_id)
        assert client.end(following)["status"] == "completed"
        assert_whole(client, following, 5)


def test_a_gateway_that_comes_up_in_time_gets_the_run(
    stack: Stack, connect: Clients, closed_port: int, session_id: str
) -> None:
    client = connect(stack, profile="closed")
    run_id = client.run(talk(5), session_id)
    client.wait_for("run.retrying")
    with gateway_at(closed_port):
        assert client.end(run_id)["status"] == "completed"
    assert client.deltas(run_id) == numbered(5)
    seqs = client.seqs(run_id)
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_without_capacity_is_asked_again_and_posts_once(
    stack: Stack, client: SocketClient, faulty: DemoGateway, session_id: str, status: int
) -> None:
    faulty.faults(post_status=status, retry_after=0.2, count=2)
    run_id = client.run(talk(5), session_id)
    assert client.end(run_id)["status"] == "completed"
    assert client.names(run_id).count("run.retrying") >= 1
    assert client.deltas(run_id) == numbered(5)
    assert len(stack.posts(run_id)) == 1


def test_a_gateway_that_stays_without_capacity_fails_the_run_after_the_deadline(
    client: SocketClient, faulty: DemoGateway, session_id: str
) -> None:
    faulty.faults(post_status=429, retry_after=0.3)
    failed = client.end(client.run(talk(5), session_id))
    assert (failed["event"], failed["reason"]) == ("run.failed", "start_deadline")
    faulty.clear_faults()
    assert client.end(client.run(talk(5), session_id))["status"] == "completed"


def test_a_request_that_the_gateway_refuses_fails_at_once(
    client: SocketClient, faulty: DemoGateway, session_id: str
) -> None:
    faulty.faults(post_status=400, count=1)
    failed = client.end(client.run(talk(5), session_id))
    assert (failed["event"], failed["reason"]) == ("run.failed", "gateway_error")
    assert client.end(client.run(talk(5), session_id))["status"] == "completed"


def test_a_gateway_that_never_answers_the_post_fails_the_run_and_is_chased(
    stack: Stack, connect: Clients, late_gateway: DemoGateway, session_id: str
) -> None:
    client = connect(stack, profile="late")
    run_id = client.run(talk(5), session_id)
    failed = client.end(run_id)
    assert (failed["event"], failed["reason"]) == ("run.failed", "post_uncertain")
    assert client.resume(session_id)["isWorking"] is False
    following = client.run(talk(5), session_id)  # claimed at once: it fails for itself
    assert client.end(following)["reason"] == "post_uncertain"
    for asked in (run_id, following):
        orphan = wait_until(
            partial(ended_orphan, stack, asked), within=25, what="the orphan is done"
        )
        assert orphan is not None
        assert (orphan.kind, orphan.outcome) == ("uncertain_post", "found")
        assert len(late_gateway.record(orphan.ephemeral_id)["runs"]) == 1


def ended_orphan(stack: Stack, run_id: str) -> OrphanRow | None:
    def work(tx: Session) -> OrphanRow | None:
        row = tx.scalar(
            select(OrphanRow).where(OrphanRow.run_id == run_id, OrphanRow.done_at.is_not(None))
        )
        if row is not None:
            tx.expunge(row)
        return row

    return stack.db.read(work)


@pytest.mark.parametrize("fault", [{"post_reset": True}, {"post_status": 502}])
def test_a_post_with_an_unknown_result_is_not_sent_again(
    stack: Stack,
    client: SocketClient,
    faulty: DemoGateway,
    session_id: str,
    fault: dict[str, object],
) -> None:
    faulty.faults(**fault, accepted=True, count=1)
    run_id = client.run(talk(5), session_id)
    assert client.end(run_id)["reason"] == "post_uncertain"
    assert client.end(client.run(talk(5), session_id))["status"] == "completed"
    assert len(stack.posts(run_id)) == 1


def test_characters_that_no_database_takes_are_replaced_and_the_rest_arrives(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(10, nul=True, surrogate=True), session_id)
    assert client.end(run_id)["status"] == "completed"
    text = client.deltas(run_id)
    assert text.endswith(numbered(10))
    assert "nul" in text
    assert "surrogate" in text
    assert not set("\x00\ud800").intersection(text)
    assert stack.stored_answer(run_id).strip() == text.strip()


def test_an_event_of_5_mb_arrives_in_pieces_and_nothing_of_it_is_lost(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(20, event_bytes=GIANT, event_bytes_after=10), session_id)
    assert client.end(run_id)["status"] == "completed"
    # A busy relay may find pieces folded already; then it shows the session anew, which is whole.
    text = client.text(run_id)
    assert len(text) == GIANT + len(numbered(20))
    assert text == numbered(10) + "g" * GIANT + numbered(20)[len(numbered(10)) :]
    pieces = client.all("message.delta")
    assert max(len(json.dumps(payload)) for payload in pieces) < LARGEST_EVENT
    seqs = client.seqs(run_id)
    assert seqs == sorted(set(seqs))
    if not client.all("session.resync"):
        assert seqs == list(range(1, len(seqs) + 1))
    assert stack.stored_answer(run_id).strip() == text.strip()


def test_a_cut_stream_is_finished_by_asking_and_the_text_is_whole(
    stack: Stack, client: SocketClient, connect: Clients, session_id: str
) -> None:
    tab = connect(stack)
    tab.resume(session_id)
    run_id = client.run(talk(150, rate=100, cut=30), session_id)
    assert client.wait_for("run.reattached")["mode"] == "polling"
    for recording in (client, tab):
        end = recording.end(run_id)
        assert end["status"] == "completed"
        assert "resync" not in end
        assert recording.text(run_id).strip() == numbered(150).strip()
        seqs = recording.seqs(run_id)
        assert seqs == list(range(1, len(seqs) + 1))
    (posted,) = stack.posts(run_id)
    assert posted["readers_opened"] == 1
    assert stack.stored_answer(run_id).strip() == numbered(150).strip()


@pytest.mark.parametrize("kind", ["broken_json", "not_utf8", "not_an_object", "no_field"])
def test_junk_on_the_stream_is_skipped(client: SocketClient, session_id: str, kind: str) -> None:
    run_id = client.run(talk(20, junk=[{"after": n, "kind": kind} for n in (0, 7, 20)]), session_id)
    assert_whole(client, run_id, 20)
    assert "run.reattached" not in client.names()


def test_unknown_events_are_passed_on_under_their_own_name(
    client: SocketClient, session_id: str
) -> None:
    run_id = client.run(talk(5, junk=[{"after": 2, "kind": "unknown_event"}]), session_id)
    assert_whole(client, run_id, 5)
    (unknown,) = client.all("demo.unknown")
    assert (unknown["value"], unknown["run_id"]) == (1, run_id)


@pytest.mark.parametrize("end", ["no_end", "silent"])
def test_a_run_that_ends_without_saying_so_is_found_out(
    stack: Stack, client: SocketClient, session_id: str, end: str
) -> None:
    run_id = client.run(talk(20, end=end), session_id)
    assert client.end(run_id)["status"] == "completed"
    assert client.text(run_id).strip() == numbered(20).strip()
    assert stack.stored_answer(run_id).strip() == numbered(20).strip()


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_run_that_the_gateway_ends_badly_keeps_its_text(
    stack: Stack, client: SocketClient, session_id: str, end: str
) -> None:
    run_id = client.run(talk(20, end=end), session_id)
    failed = client.end(run_id)
    assert (failed["event"], failed["reason"]) == ("run.failed", "gateway_error")
    assert client.deltas(run_id) == numbered(20)
    assert stack.stored_answer(run_id).strip() == numbered(20).strip()
    assert stack.messages(run_id)[-1].finish_reason == "error"
    assert client.end(client.run(talk(5), session_id))["status"] == "completed"


def test_a_gateway_that_was_killed_has_lost_the_run_and_the_text_so_far_is_kept(
    stack: Stack, connect: Clients, closed_port: int, session_id: str
) -> None:
    client = connect(stack, profile="closed")
    gateway = gateway_at(closed_port)
    run_id = client.run(talk(1000, rate=100), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 50, what="some text")
    gateway.kill()
    with gateway_at(closed_port):
        failed = client.end(run_id)
        assert (failed["event"], failed["reason"]) == ("run.failed", "gateway_lost_run")
        assert stack.stored_answer(run_id).strip() == client.deltas(run_id).strip()
        assert client.end(client.run(talk(5), session_id))["status"] == "completed"
