"""Responses in the database, on both kinds: which session each is in, and what is kept of them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from shared.db import delete_session
from shared.db.database import Database
from shared.db.models import MessageRow, ResponseRow, RunRow
from shared.db.responses import place, records
from shared.db.responses.records import NewResponse
from shared.db.runs.accept import Accepted, accept_once
from shared.db.runs.claim import Claim, claim
from shared.db.runs.complete import Closing, close
from shared.db.runs.stop import cancel
from shared.db.runs.terminal import mark_announced
from shared.errors import NotFound, ResponseInProgress
from shared.protocol.run_states import RunState
from tests.support.turns import new_run

PARTS = [["text", "a "], ["tool", "clock", "c1", ""], ["text", "b"]]


def accepted(
    db: Database,
    text: str = "x",
    owner: str = "alice",
    instructions: str | None = None,
    **fields: Any,
) -> Accepted:
    new = new_run(
        uuid.uuid4().hex,
        text,
        owner=owner,
        instructions=instructions,
        payload_hash="hash",
        response=NewResponse(**fields),
    )
    return accept_once(db, new, queue_cap=20, check_profile=lambda name: name)


def ended(db: Database, run: Accepted, answer: str = "answer") -> str:
    """The run, with an answer; its id."""
    claimed = db.write(lambda tx: claim(tx, run.run_id, "worker", 60.0))
    assert isinstance(claimed, Claim)
    rows = [{"role": "assistant", "content": answer}]
    closing = Closing(
        RunState.COMPLETED, "run.completed", {}, 1, rows=rows, output=answer, streamed=PARTS
    )
    db.write(lambda tx: close(tx, claimed, closing))
    db.write(lambda tx: mark_announced(tx, run.run_id))
    return run.run_id


def texts(db: Database, session_id: str | None) -> list[str]:
    wanted = select(MessageRow.content).where(MessageRow.session_id == session_id)
    ordered = wanted.order_by(MessageRow.turn_no, MessageRow.idx)
    return db.read(lambda tx: list(tx.scalars(ordered)))


def test_a_response_goes_on_in_the_session_of_the_one_before(db: Database) -> None:
    first = accepted(db, "one", instructions="be kind")
    second = accepted(db, "two", previous_run_id=ended(db, first))
    assert second.session_id == first.session_id
    found = db.read(lambda tx: records.read(tx, "alice", second.run_id))
    assert found is not None
    assert (found.instructions, found.previous_run_id) == ("be kind", first.run_id)


def test_a_response_waits_for_the_one_before_in_its_queue(db: Database) -> None:
    first = accepted(db, "one")
    second = accepted(db, "two", previous_run_id=first.run_id)
    assert (second.session_id, second.starts_now) == (first.session_id, False)


def test_of_many_continuations_at_once_each_has_a_session_of_its_own(db: Database) -> None:
    first = accepted(db, "one")
    run_id = ended(db, first)
    with ThreadPoolExecutor(4) as threads:
        made = list(
            threads.map(lambda n: accepted(db, f"branch {n}", previous_run_id=run_id), range(4))
        )
    sessions = {one.session_id for one in made}
    assert len(sessions) == 4
    assert first.session_id in sessions
    for index, one in enumerate(made):
        assert texts(db, one.session_id) in (
            [f"branch {index}", "one", "answer"],  # a prompt that waits has no turn yet
            ["one", "answer", f"branch {index}"],
        )


def test_a_response_that_is_continued_already_is_copied_only_when_it_is_complete(
    db: Database,
) -> None:
    first = accepted(db, "one")
    accepted(db, "two", previous_run_id=first.run_id)
    with pytest.raises(ResponseInProgress):
        accepted(db, "three", previous_run_id=first.run_id)
    new = NewResponse(previous_run_id=first.run_id)
    with pytest.raises(ResponseInProgress):
        db.read(lambda tx: place.read_before(tx, "alice", new))
    run_id = ended(db, first)
    third = accepted(db, "three", previous_run_id=run_id)
    assert third.session_id != first.session_id
    assert sorted(texts(db, third.session_id)) == ["answer", "one", "three"]


def test_nobody_goes_on_from_what_is_not_theirs_or_not_a_response(db: Database) -> None:
    run_id = ended(db, accepted(db))
    for owner, previous in (("bob", run_id), ("alice", "run_none"), ("alice", "")):
        with pytest.raises(NotFound):
            accepted(db, owner=owner, previous_run_id=previous)
    assert db.read(lambda tx: records.read(tx, "bob", run_id)) is None
    assert db.read(lambda tx: records.read_input(tx, "bob", run_id)) is None
    assert not db.write(lambda tx: records.delete_response(tx, "bob", run_id))
    assert db.write(lambda tx: records.delete_response(tx, "alice", run_id))
    with pytest.raises(NotFound):
        accepted(db, previous_run_id=run_id)


def test_messages_before_the_prompt_are_a_turn_of_the_session(db: Database) -> None:
    before: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "one"}]},
        {"role": "assistant", "content": "two"},
    ]
    made = accepted(db, "three", before=before)
    ended(db, made)
    assert texts(db, made.session_id) == ["one", "two", "three", "answer"]
    asked = db.read(lambda tx: records.read_input(tx, "alice", made.run_id))
    assert asked == [("user", before[0]["content"]), ("assistant", "two"), ("user", "three")]


def test_what_was_streamed_is_kept_with_the_end_of_a_response(db: Database) -> None:
    run_id = ended(db, accepted(db, metadata={"a": "b"}))
    found = db.read(lambda tx: records.read(tx, "alice", run_id))
    assert found is not None
    assert (found.parts, found.metadata, found.is_stored) == (PARTS, {"a": "b"}, True)
    assert [row["content"] for row in found.rows] == ["answer"]


def test_a_response_that_goes_on_from_one_without_a_turn_of_its_own(db: Database) -> None:
    first = accepted(db, "one")
    cancelled = accepted(db, "two", previous_run_id=first.run_id)
    db.write(lambda tx: cancel(tx, "alice", None, cancelled.run_id))
    db.write(lambda tx: mark_announced(tx, cancelled.run_id))
    ended(db, first)
    third = accepted(db, "three", previous_run_id=cancelled.run_id)
    assert third.session_id == first.session_id


def test_a_response_goes_with_its_session(db: Database) -> None:
    made = accepted(db)
    run_id = ended(db, made)
    assert made.session_id is not None
    session_id = made.session_id
    db.write(lambda tx: delete_session.remove(tx, "alice", session_id, force=True))
    assert db.read(lambda tx: list(tx.scalars(select(RunRow.id)))) == []
    assert db.read(lambda tx: list(tx.scalars(select(ResponseRow.run_id)))) == []
    assert db.read(lambda tx: records.read(tx, "alice", run_id)) is None


def test_messages_of_a_conversation_are_read_up_to_a_response(db: Database) -> None:
    first = accepted(db, "one", conversation="talk", instructions="be kind")
    ended(db, first, "two")
    ended(db, accepted(db, "three", conversation="talk"), "four")
    new = NewResponse(previous_run_id=first.run_id)
    messages, found = db.read(lambda tx: place.read_before(tx, "alice", new))
    assert [m["content"] for m in messages] == ["one", "two"]
    assert (found.session_id, found.instructions) == ("talk", "be kind")
    whole = NewResponse(conversation="talk")
    messages, _ = db.read(lambda tx: place.read_before(tx, "alice", whole))
    assert [m["content"] for m in messages] == ["one", "two", "three", "four"]
