"""Pages of messages and of turns, on both databases."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import text

from shared.db.database import Database
from shared.db.runs.complete import Closing, close
from shared.db.runs.terminal import mark_announced
from shared.db.sessions.edit_session import create_session, update_session
from shared.db.sessions.message_pages import Place, answers_of, read_page
from shared.db.sessions.read import read_conversation
from shared.db.sessions.turns import PAGE, last_turn, turns_after
from shared.errors import InvalidPayload, NotFound
from shared.protocol.run_states import RunState
from tests.support.rows import OWNER
from tests.support.turns import ask, begin, say


def pages(db: Database, *, forward: bool, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    after: Place | None = None
    while True:
        read = partial(read_page, owner=OWNER, session_id="s", limit=limit, forward=forward)
        page = db.read(partial(read, after=after))
        found.append([message["content"] for message in page.messages])
        if page.next_place is None:
            return found
        after = page.next_place


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
def test_pages_from_both_ends_have_everything_once(db: Database, limit: int) -> None:
    for number in range(4):
        say(db, "s", f"q{number}", f"a{number}")
    say(db, "other", "not", "this")
    say(db, "s", "nor", "this", owner="you")
    ask(db, "s", "and nothing that waits")
    texts = [f"{kind}{number}" for number in range(4) for kind in "qa"]
    forward = pages(db, forward=True, limit=limit)
    back = pages(db, forward=False, limit=limit)
    assert [one for page in forward for one in page] == texts
    assert [one for page in reversed(back) for one in page] == texts
    assert [len(page) for page in back] == [len(page) for page in forward]


def test_the_answers_of_a_run_are_those_after_its_prompt(db: Database) -> None:
    run_id = say(db, "s", "q", "a", "b")
    answers = db.read(lambda tx: answers_of(tx, run_id))
    assert [one["content"] for one in answers] == ["a", "b"]


def test_turns_are_read_from_any_on(db: Database) -> None:
    runs = [say(db, "s", f"q{number}", "a") for number in range(PAGE + 2)]
    found = db.read(lambda tx: turns_after(tx, OWNER, "s", 0))
    assert [(turn.turn, turn.run_id) for turn in found] == list(enumerate(runs[:PAGE], 1))
    found = db.read(lambda tx: turns_after(tx, OWNER, "s", PAGE, [2]))
    assert [turn.turn for turn in found] == [2, PAGE + 1, PAGE + 2]
    assert found[0].prompt["content"] == "q1"
    assert db.read(lambda tx: last_turn(tx, OWNER, "s")) == PAGE + 2
    waiting = ask(db, "s", "waits")
    assert db.read(lambda tx: turns_after(tx, OWNER, "s", PAGE + 2)) == []
    begin(db, waiting)
    assert [t.run_id for t in db.read(lambda tx: turns_after(tx, OWNER, "s", PAGE + 2))] == [
        waiting
    ]
    assert db.read(lambda tx: turns_after(tx, "you", "s", 0)) == []
    with pytest.raises(NotFound):
        db.read(lambda tx: last_turn(tx, "you", "s"))


def test_the_profile_of_later_runs_is_changed(db: Database) -> None:
    db.write(lambda tx: create_session(tx, OWNER, "s", profile="default"))
    info = db.write(lambda tx: update_session(tx, OWNER, "s", {"profile": "other"}))
    assert info["profile"] == "other"
    for value in (None, "", 5, "a\0b"):
        with pytest.raises(InvalidPayload):
            db.write(lambda tx, v=value: update_session(tx, OWNER, "s", {"profile": v}))  # type: ignore[misc]


def test_a_page_is_found_by_an_index(db: Database) -> None:
    statement = (
        "SELECT id FROM messages WHERE owner = 'o' AND session_id = 's' AND turn_no > 3 "
        "AND idx = 0 AND run_id IS NOT NULL ORDER BY turn_no LIMIT 20"
    )
    lead = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"

    def plan(tx: object) -> str:
        if not db.is_sqlite:
            tx.execute(text("SET LOCAL enable_seqscan = off"))  # type: ignore[attr-defined]
        rows = tx.execute(text(f"{lead} {statement}"))  # type: ignore[attr-defined]
        return "\n".join(str(row) for row in rows)

    assert "messages_in_order" in db.read(plan)


def test_a_page_says_why_turns_were_not_answered(db: Database) -> None:
    say(db, "s", "answered", "yes")
    ends = {
        "failed": Closing(
            RunState.FAILED,
            "run.failed",
            {"status": "failed", "error": "no answer", "reason": "timeout"},
            last_seq=1,
            reason="timeout",
        ),
        "stopped": Closing(
            RunState.ABORTED,
            "run.completed",
            {"status": "aborted", "synced": False},
            last_seq=1,
            rows=[{"role": "assistant", "content": "half", "finish_reason": "aborted"}],
        ),
    }
    runs = {}
    for name, closing in ends.items():
        runs[name] = ask(db, "s", name)
        claimed = begin(db, runs[name])
        db.write(partial(close, claim=claimed, closing=closing))
        db.write(partial(mark_announced, run_id=runs[name]))
    say(db, "s", "answered again", "yes")
    expected = [
        {"run_id": runs["failed"], "status": "failed", "reason": "timeout", "error": "no answer"},
        {"run_id": runs["stopped"], "status": "aborted", "unconfirmed": True},
    ]
    read = partial(read_page, owner=OWNER, session_id="s", limit=100, forward=False)
    assert db.read(read).ends == expected
    assert db.read(lambda tx: read_conversation(tx, OWNER, "s")).ends == expected
    assert db.read(lambda tx: read_conversation(tx, "you", "s")).ends == []
