"""What a run sends of its session, and what it shows of the session's tokens (P6, P18, P22)."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.conversation import tokens
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.runs.claim import Claim
from shared.db.sessions.history_rows import SessionHistory, read_history
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import add_run, add_session, messages
from tests.support.worker_stand import SESSION, WorkerStand
from worker.run import request_body
from worker.run.run_turn import run_turn


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, session=False)


def test_usage_is_shown_first_and_again_right_before_the_end(stand: WorkerStand) -> None:
    stand.conversation(turns=3)
    run_id = stand.run()
    names = stand.names(run_id)
    assert names[0] == "usage.updated"
    assert names[-2:] == ["usage.updated", "run.completed"]
    assert names.count("usage.updated") == 2
    first = next(payload for name, payload in stand.events(run_id) if name == "usage.updated")
    assert (first["inputTokens"], first["outputTokens"]) == (601, 300)


def test_the_first_turn_reads_no_history(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noting(tx: Session, claim: Claim, most: int) -> SessionHistory | None:
        read.append(claim.run_id)
        return read_history(tx, claim, most)

    monkeypatch.setattr(request_body, "read_history", noting)
    add_session(stand.db, SESSION)
    first = stand.run()
    shown = next(payload for name, payload in stand.events(first) if name == "usage.updated")
    assert (shown["inputTokens"], shown["outputTokens"]) == (1, 0)
    assert (read, stand.history()) == ([], [])
    second = stand.run()
    assert read == [second]
    assert [message["role"] for message in stand.history()] == ["user", "assistant"]


def test_messages_without_a_count_are_counted_once_and_for_all(stand: WorkerStand) -> None:
    stand.conversation(turns=3, tokens=None)
    stand.run()
    counts = [row.token_count for row in messages(stand.db, SESSION)[:2]]
    assert counts == [tokens.count("question <1>"), tokens.count("answer <1>")]
    query = select(MessageRow.id).where(MessageRow.token_count.is_(None))
    assert stand.db.read(lambda tx: tx.scalar(query)) is None


def test_a_short_session_is_sent_as_it_is_without_prompts_that_wait(stand: WorkerStand) -> None:
    stand.conversation(turns=2)
    run_id = stand.queue(queue_no=1)
    stand.queue(queue_no=2, say="not yet")
    run_turn(stand.services, run_id)
    assert [m["content"] for m in stand.history()] == [
        "question <1>",
        "answer <1>",
        "question <2>",
        "answer <2>",
    ]
    assert "compression.started" not in stand.names(run_id)
    assert stand.audit() == []


def test_the_workspace_goes_before_the_instructions(stand: WorkerStand) -> None:
    stand.conversation(turns=1)
    stand.db.write(lambda tx: tx.execute(update(SessionRow).values(workspace="/w")))
    run_id = stand.queue(instructions="Be brief.")
    run_turn(stand.services, run_id)
    sent = stand.posts("eph")[-1]["body"]
    assert sent["instructions"] == "[Current working directory: /w]\nBe brief."


def test_a_history_that_the_request_brought_is_sent_instead_of_the_session_s_own(
    stand: WorkerStand,
) -> None:
    stand.conversation(turns=2)
    run_id = stand.queue(
        history=[
            {"role": "user", "content": "brought"},
            {"role": "assistant", "content": [{"type": "text", "text": "along"}]},
        ]
    )
    run_turn(stand.services, run_id)
    assert [m["content"] for m in stand.history()] == ["brought", "along"]
    stand.run()
    sent = [m["content"] for m in stand.history(1)]
    assert sent[:2] == ["question <1>", "answer <1>"]
    assert sent[-1] == "fine"
    assert "brought" not in sent


def test_a_run_without_a_session_has_no_history_and_counts_nothing(stand: WorkerStand) -> None:
    run_id = add_run(stand.db, None, text=scripted(say="alone", rate=0))
    run_turn(stand.services, run_id)
    assert stand.state(run_id) == "completed"
    assert stand.history() == []


def test_a_history_that_is_never_too_long_is_not_compressed_again_for_four_messages(
    stand: WorkerStand,
) -> None:
    stand.conversation(turns=2, tokens=1_000_000)
    run_id = stand.run()
    assert "compression.started" not in stand.names(run_id)
    assert len(stand.history()) == 4


def test_no_two_posts_name_the_same_session_of_the_gateway(stand: WorkerStand) -> None:
    """A gateway may add what its session holds already: the model would read it twice."""
    stand.conversation(turns=1)
    stand.gateway.faults(post_status=429, accepted=True, count=1)
    run_id = stand.queue()
    run_turn(stand.services, run_id)
    stand.db.write(lambda tx: tx.execute(update(RunRow).values(not_before=None)))
    run_turn(stand.services, run_id)
    stand.run()
    named = [post["session_id"] for post in stand.posts("eph")]
    assert len(set(named)) == len(named) == 3
