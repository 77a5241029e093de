"""Compression of a long session, with a real gateway process (P21-P24, R23)."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from shared.conversation.summary_prompts import SUMMARY_PREFIX
from shared.db.models import MessageRow, RunRow
from tests.integration.conftest import MakeWorker
from tests.support.rows import messages
from tests.support.servers.processes import Processes, RunningProcess, wait_until
from tests.support.worker_stand import SESSION, WorkerStand
from worker.compression import summarize
from worker.maintenance.gateway_orphans import check_orphaned_runs

# 150 turns of 200 tokens, of which 100 count twice, are 45,000: over half of this, and the turns
# to summarize still fit in.
CONTEXT = 80_000
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
HELD: dict[str, Any] = {"script": {"end": "hang"}}  # a summary that never comes


@pytest.fixture
def make(make_worker: MakeWorker, database_url: str) -> MakeWorker:
    """Makes workers for a model with a context of CONTEXT tokens."""
    return partial(make_worker, database_url, session=False, context_length=CONTEXT)


@pytest.fixture
def stand(make: Callable[..., WorkerStand]) -> WorkerStand:
    """A session of 300 messages that has outgrown its model."""
    stand = make()
    stand.conversation(turns=150)
    return stand


def due(stand: WorkerStand, session_id: str) -> bool:
    """Whether the gateway's session may be deleted now."""
    return stand.deletions()[session_id].next_attempt_at <= time.time()


def test_three_hundred_messages_are_compressed_once(stand: WorkerStand) -> None:
    stand.summaries("THE SUMMARY")
    run_id = stand.run("first")
    names = stand.names(run_id)
    assert names[:5] == [
        "usage.updated",
        "compression.started",
        "compression.completed",
        "usage.updated",
        "run.started",
    ]
    started = stand.event(run_id, "compression.started")
    assert (started["message_count"], started["token_count"]) == (300, 45_000)
    event = stand.event(run_id, "compression.completed")
    assert event["compressed"] is event["llmCompressed"] is True
    assert (event["totalMessages"], event["resultMessages"], event["verbatimCount"]) == (
        300,
        21,
        20,
    )
    assert event["beforeTokens"] == 45_000
    assert event["afterTokens"] < 4_000
    assert "error" not in event
    (audit,) = stand.audit()
    assert (audit.run_id, audit.kind, audit.result, audit.error) == (
        run_id,
        "full",
        "compressed",
        None,
    )
    assert (audit.trigger_tokens, audit.threshold) == (45_000, 40_000)
    assert (audit.before_messages, audit.after_messages) == (300, 21)
    assert (audit.first_turn, audit.last_turn) == (1, 140)
    assert audit.after_tokens == event["afterTokens"]
    assert audit.duration is not None

    stand.run("second")
    assert len(stand.audit()) == 1
    assert len(stand.posts("compress")) == 1


def test_the_history_that_is_sent_opens_with_the_summary_as_a_user_message(
    stand: WorkerStand,
) -> None:
    stand.summaries("THE SUMMARY")
    stand.run("first")
    sent = stand.history()
    assert len(sent) == 21
    assert sent[0] == {"role": "user", "content": f"{SUMMARY_PREFIX}\n\nTHE SUMMARY"}
    assert sent[1]["content"] == "question <141>"
    stand.run("second")
    after = stand.history()
    assert after[: len(sent)] == sent
    assert after[-1]["content"] == "first"


def test_the_summarizer_gets_each_turn_once_in_a_session_of_its_own(stand: WorkerStand) -> None:
    stand.summaries("THE SUMMARY")
    stand.run()
    (post,) = stand.posts("compress")
    assert "conversation_history" not in post["body"]
    prompt = post["body"]["input"]
    assert all(prompt.count(f"question <{n}>") == 1 for n in range(1, 141))
    assert "question <141>" not in prompt
    assert due(stand, post["session_id"])


def test_summarized_messages_stay_in_the_database(stand: WorkerStand) -> None:
    stand.summaries("THE SUMMARY")
    stand.run()
    stored = [row.content for row in messages(stand.db, SESSION)]
    assert len(stored) == 302
    assert stored[0] == "question <1>"


def test_usage_counts_from_the_snapshot_on_and_is_the_same_at_the_start_as_at_the_end(
    stand: WorkerStand,
) -> None:
    stand.summaries("THE SUMMARY")
    run_id = stand.run("first")
    usage = [p for name, p in stand.events(run_id) if name == "usage.updated"]
    before, after, final = ((u["inputTokens"], u["outputTokens"]) for u in usage)
    assert before == (30_001, 15_000)  # the prompt is stored as one token
    assert after[1] == 1_000
    assert after[0] + after[1] - 1 == stand.event(run_id, "compression.completed")["afterTokens"]
    answer = messages(stand.db, SESSION)[-1].token_count or 0
    assert final == (after[0] + answer, after[1] + answer)


def test_a_session_with_a_snapshot_is_compressed_on_top_of_it(stand: WorkerStand) -> None:
    stand.summaries("THE FIRST SUMMARY")
    stand.run()
    stand.db.write(
        lambda tx: tx.execute(
            update(MessageRow).where(MessageRow.turn_no > 140).values(token_count=2_000)
        )
    )
    stand.summaries("THE SECOND SUMMARY")
    stand.run()
    prompt = stand.posts("compress")[1]["body"]["input"]
    assert "THE FIRST SUMMARY" in prompt
    assert "question <140>" not in prompt
    assert "question <141>" in prompt
    snapshot = stand.snapshot()
    assert snapshot is not None
    assert (snapshot.version, snapshot.last_turn_no, snapshot.covered_count) == (2, 141, 282)
    assert [row.kind for row in stand.audit()] == ["full", "incremental"]
    assert stand.history()[0]["content"].endswith("THE SECOND SUMMARY")
    assert stand.history()[1]["content"] == "question <142>"


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "no_capacity": ({"post_status": 429}, "capacity"),
    "draining": ({"post_status": 503}, "capacity"),
    "refused": ({"post_status": 400}, "refused"),
    "reset": ({"post_reset": True}, "POST"),
    "failed": ({"script": {"end": "failed", "error": "no model"}}, "no model"),
    "empty": ({"script": {"say": "  ", "output": " "}}, "empty"),
    "too_long": ({"script": {"say": None, "tokens": 60_000}}, "not shorter"),
}


@ON_SQLITE
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_summary_does_not_fail_the_run(stand: WorkerStand, kind: str) -> None:
    fault, why = FAILURES[kind]
    stand.summaries(**fault)
    run_id = stand.run("all the same")
    assert stand.state(run_id) == "completed"
    event = stand.event(run_id, "compression.completed")
    assert event["compressed"] is False
    assert why in event["error"]
    assert len(stand.history()) == 300
    assert stand.snapshot() is None
    (audit,) = stand.audit()
    assert (audit.result, audit.after_tokens, audit.after_messages) == ("failed", 45_000, 300)
    assert any(name.startswith("compress_") for name in stand.deletions())

    stand.run("and again")  # too soon for another try
    assert len(stand.audit()) == 1


def test_a_failed_summary_leaves_the_old_one_and_sends_everything_after_it(
    stand: WorkerStand,
) -> None:
    stand.summaries("THE FIRST SUMMARY")
    stand.run("first")
    stand.db.write(
        lambda tx: tx.execute(
            update(MessageRow).where(MessageRow.turn_no > 140).values(token_count=2_000)
        )
    )
    stand.summaries(post_status=503)
    stand.run("second")
    sent = stand.history()
    assert sent[0]["content"].endswith("THE FIRST SUMMARY")
    assert [m["content"] for m in sent if m["role"] == "user"][1] == "question <141>"
    assert sent[-1]["content"] == "first"
    snapshot = stand.snapshot()
    assert snapshot is not None
    assert (snapshot.version, snapshot.last_turn_no) == (1, 140)


@ON_SQLITE
def test_a_summary_that_does_not_come_in_time_is_stopped(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summarize, "SUMMARY_TIMEOUT", 0.5)
    stand.summaries(**HELD)
    run_id = stand.run("all the same")
    assert stand.state(run_id) == "completed"
    assert "within 0.5 seconds" in stand.event(run_id, "compression.completed")["error"]
    (post,) = stand.posts("compress")
    stand.wait_for_stop(post["run_id"])
    wait_until(lambda: due(stand, post["session_id"]), what="its session may be deleted")


def test_an_abort_while_the_summary_is_written_ends_the_run_at_once(stand: WorkerStand) -> None:
    stand.summaries(**HELD)
    run_id = stand.queue()
    thread = stand.begin(run_id)
    post = stand.wait_for_post("compress")
    asked = time.monotonic()
    stand.services.turns[run_id].request_stop()
    thread.join(10)
    assert time.monotonic() - asked < 3
    assert stand.state(run_id) == "aborted"
    assert stand.event(run_id, "run.completed")["finish_reason"] == "aborted"
    assert stand.posts("eph") == []
    assert [row.result for row in stand.audit()] == ["stopped"]
    stand.wait_for_stop(post["run_id"])
    wait_until(lambda: due(stand, post["session_id"]), what="its session may be deleted")

    stand.summaries("THE SUMMARY")
    stand.run()  # an abort is no failure: no cool-down
    assert [row.result for row in stand.audit()] == ["stopped", "compressed"]


@ON_SQLITE
def test_the_time_of_a_summary_does_not_count_as_waiting_for_the_gateway(
    make: Callable[..., WorkerStand],
) -> None:
    stand = make(START_DEADLINE=1)
    stand.conversation(turns=150)
    stand.summaries("THE SUMMARY", script={"first_delay": 1.2})
    prefix = f"eph_{stand.installation}_"
    stand.gateway.faults(session_prefix=prefix, post_status=429, count=1)
    run_id = stand.run()
    assert stand.state(run_id) == "queued"  # it keeps its place, and is not failed
    assert stand.names(run_id)[-1] == "run.retrying"


@ON_SQLITE
def test_an_abort_does_not_wait_for_a_gateway_that_hangs_with_the_request(
    stand: WorkerStand,
) -> None:
    stand.summaries(post_hang_seconds=4, **HELD)
    run_id = stand.queue()
    thread = stand.begin(run_id)
    post = stand.wait_for_post("compress")
    stand.services.turns[run_id].request_stop()
    thread.join(10)
    assert stand.state(run_id) == "aborted"
    assert stand.gateway.record()["stops"][-1:] != [{"run_id": post["run_id"], "found": True}]
    stand.wait_for_stop(post["run_id"])
    wait_until(lambda: due(stand, post["session_id"]), what="its session may be deleted")


@ON_SQLITE
def test_a_summary_that_cannot_be_stopped_is_an_orphaned_run(
    stand: WorkerStand,
) -> None:
    stand.summaries(**HELD)
    run_id = stand.queue()
    thread = stand.begin(run_id)
    post = stand.wait_for_post("compress")
    stand.gateway.faults(stop_error=500, count=1)
    stand.services.turns[run_id].request_stop()
    thread.join(10)

    def stopped() -> bool:
        check_orphaned_runs(stand.services)
        return due(stand, post["session_id"])

    wait_until(stopped, within=20, what="a job has stopped it")
    stand.wait_for_stop(post["run_id"])


def test_who_loses_the_run_while_the_summary_is_written_writes_nothing(stand: WorkerStand) -> None:
    stand.summaries(**HELD)
    run_id = stand.queue()
    thread = stand.begin(run_id)
    post = stand.wait_for_post("compress")
    stand.db.write(
        lambda tx: tx.execute(
            update(RunRow).where(RunRow.id == run_id).values(fence=RunRow.fence + 1)
        )
    )
    stand.services.turns[run_id].lose()
    thread.join(10)
    assert not thread.is_alive()
    assert stand.state(run_id) == "running"
    assert stand.snapshot() is None
    assert [row.result for row in stand.audit()] == ["lost"]
    stand.wait_for_stop(post["run_id"])


def test_a_summary_that_comes_after_the_run_was_lost_is_not_stored(stand: WorkerStand) -> None:
    stand.summaries("TOO LATE", script={"first_delay": 1.0})
    run_id = stand.queue()
    thread = stand.begin(run_id)
    stand.wait_for_post("compress")
    stand.db.write(  # overtaken, and it was not notified
        lambda tx: tx.execute(
            update(RunRow).where(RunRow.id == run_id).values(fence=RunRow.fence + 1)
        )
    )
    thread.join(10)
    assert not thread.is_alive()
    assert stand.snapshot() is None
    assert [row.result for row in stand.audit()] == ["lost"]
    assert stand.posts("eph") == []


@ON_POSTGRESQL
def test_a_worker_killed_while_it_summarizes_is_followed_by_another(
    make: Callable[..., WorkerStand], processes: Processes
) -> None:
    stand = make(LEASE_SECONDS=2)
    stand.conversation(turns=150)
    stand.summaries(**HELD)
    run_id = stand.queue()
    environment = {**os.environ, **stand.environment}

    def worker() -> RunningProcess:
        started = processes.start_module("worker", "worker", "runs", environment=environment)
        started.wait_for_log(" ready.", within=40)
        return started

    victim = worker()
    stand.services.queue.run_turn(run_id)
    post = stand.wait_for_post("compress")
    wait_until(lambda: stand.audit()[0].gateway_run_id, what="its id is written down")
    victim.kill()
    stand.summaries("THE SUMMARY")
    second = worker()

    def done() -> bool:
        stand.services.queue.run_turn(run_id)
        return stand.state(run_id) == "completed"

    wait_until(done, within=20, every=0.3, what="the lease has lapsed and the run is done")
    second.kill()
    assert [row.result for row in stand.audit()] == ["lost", "compressed"]
    assert len(stand.posts("eph")) == 1
    stand.wait_for_stop(post["run_id"])
    assert {p["session_id"] for p in stand.posts("compress")} <= set(stand.deletions())


def add_message(stand: WorkerStand, run_id: str, content: str) -> None:
    """One more message in an old turn, as an import that goes on would add it."""

    def work(tx: Session) -> None:
        last = tx.scalars(
            select(MessageRow).where(MessageRow.run_id == run_id).order_by(MessageRow.idx.desc())
        ).first()
        assert last is not None
        columns = {name: getattr(last, name) for name in ("owner", "session_id", "turn_no")}
        more = {"role": "assistant", "content": content, "token_count": 100, "timestamp": 1.0}
        tx.add(MessageRow(**columns, **more, run_id=run_id, idx=last.idx + 1))

    stand.db.write(work)


def test_a_turn_that_is_replaced_while_it_is_summarized_gets_no_summary(
    stand: WorkerStand,
) -> None:
    stand.summaries("OF WHAT IT WAS", script={"first_delay": 1.0})
    run_id = stand.queue()
    thread = stand.begin(run_id)
    stand.wait_for_post("compress")
    stand.db.write(lambda tx: tx.execute(delete(MessageRow).where(MessageRow.run_id == "old_7")))
    add_message(stand, "old_8", "in its place")
    add_message(stand, "old_8", "and another one, so that the count is the same")
    thread.join(20)
    assert stand.state(run_id) == "completed"
    assert stand.snapshot() is None
    assert "changed" in stand.event(run_id, "compression.completed")["error"]


def test_a_turn_with_more_messages_than_were_summarized_drops_the_snapshot(
    stand: WorkerStand,
) -> None:
    stand.summaries("THE FIRST SUMMARY")
    stand.run()
    add_message(stand, "old_7", "added")
    stand.summaries("THE SECOND SUMMARY")
    run_id = stand.run()
    assert stand.event(run_id, "compression.started")["message_count"] == 303
    assert stand.posts("compress")[1]["body"]["input"].count("added") == 1
    snapshot = stand.snapshot()
    assert snapshot is not None
    assert (snapshot.version, snapshot.summary) == (1, "THE SECOND SUMMARY")


@ON_SQLITE
def test_old_tool_output_shrinks_in_what_is_sent_but_not_in_what_is_summarized(
    make: Callable[..., WorkerStand],
) -> None:
    stand = make()
    stand.conversation(turns=100, tool_output=1_000)
    stand.summaries(script={"end": "failed"})
    stand.run()
    texts = [message["content"] for message in stand.history()]
    assert "[read] " + "o" * 100 + "..." in texts[1]
    assert "o" * 101 not in texts[1]
    assert "o" * 1_000 in texts[-2]
    (post,) = stand.posts("compress")
    assert "[tool:read]: " + "o" * 1_000 in post["body"]["input"]
