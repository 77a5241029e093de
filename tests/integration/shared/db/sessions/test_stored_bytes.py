"""How much a session may hold, and the running sum that says how much it does (A10)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, update

from shared.db import migrate
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import SessionRow
from shared.db.runs import accept as intake
from shared.db.runs import stop as stops
from shared.db.runs.claim import Claim, claim
from shared.db.runs.complete import Closing, close, replace_late
from shared.db.runs.terminal import mark_announced
from shared.db.sessions.stored_bytes import sum_of
from shared.errors import SessionTooLarge
from shared.protocol.run_states import RunState
from tests.integration.shared.db.test_migrations import migrate_to

ME, MOST = "me", 10_000
BLOCKS = [{"type": "text", "text": "é" * 100}]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    db = Database(database_url)
    yield db
    db.close()


def send(db: Database, text: str, *, blocks: Any = None, session: str | None = "s") -> str:
    new = intake.NewRun(
        run_id=f"run_{uuid.uuid4().hex}",
        owner=ME,
        session_id=session,
        profile="default",
        input=blocks or text,
        text=text,
        token_count=1,
        model=None,
        instructions=None,
        client_request_id=None,
        payload_hash="",
    )
    arguments: dict[str, Any] = {"queue_cap": 20, "check_profile": str, "max_bytes": MOST}
    return db.write(lambda tx: intake.accept(tx, new, **arguments)).run_id


def taken(db: Database, run_id: str) -> Claim:
    answer = db.write(lambda tx: claim(tx, run_id, "w", 60.0))
    assert isinstance(answer, Claim)
    return answer


def end(db: Database, run_id: str, *rows: dict[str, Any]) -> None:
    claimed = taken(db, run_id)
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=1, rows=rows)
    db.write(lambda tx: close(tx, claimed, closing))
    db.write(lambda tx: mark_announced(tx, run_id))


def running_sum(db: Database) -> int:
    return db.read(lambda tx: tx.scalar(select(SessionRow.stored_bytes)) or 0)


def exact_sum(db: Database) -> int:
    return db.read(lambda tx: sum_of(tx, ME, "s"))


CALL = {"id": "c", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
ROWS = (
    {"role": "assistant", "content": "é" * 10, "tool_calls": [CALL], "reasoning": "r" * 20},
    {"role": "tool", "content": "x" * 1_000, "tool_call_id": "c"},
)


def test_the_sum_follows_whatever_changes_the_session(db: Database) -> None:
    first = send(db, "x" * 100)
    assert running_sum(db) == 202, "the message, and the input of the run as JSON"
    end(db, first, *ROWS)
    second = send(db, "text", blocks=BLOCKS)
    assert running_sum(db) == exact_sum(db)
    end(db, second, ROWS[1])
    db.write(lambda tx: replace_late(tx, second, [*ROWS, *ROWS], None))
    assert running_sum(db) == exact_sum(db)
    send(db, "x" * 50)
    before = running_sum(db)
    cancelled = send(db, "x" * 1_000)
    db.write(lambda tx: stops.cancel(tx, ME, "s", cancelled))
    assert running_sum(db) - before == 1_002, "its input stays in its row"
    assert running_sum(db) == exact_sum(db)


def test_a_message_that_does_not_fit_is_refused_and_leaves_nothing(db: Database) -> None:
    for _ in range(4):
        send(db, "x" * 1_000)
    with pytest.raises(SessionTooLarge) as refused:
        send(db, "x" * 1_000)
    assert "session" in str(refused.value)
    assert running_sum(db) == 4 * 2_002
    send(db, "x" * 500)
    send(db, "x" * 9_000, session=None)


def test_the_first_message_of_a_session_may_be_too_large_as_well(db: Database) -> None:
    with pytest.raises(SessionTooLarge):
        send(db, "x" * 5_000)
    assert db.read(lambda tx: tx.scalar(select(SessionRow.id))) is None


def test_results_of_tools_fill_a_session_too(db: Database) -> None:
    end(db, send(db, "x"), {"role": "tool", "content": "x" * MOST, "tool_call_id": "c"})
    with pytest.raises(SessionTooLarge):
        send(db, "and?")


def test_a_repeated_request_is_answered_though_the_session_is_full(db: Database) -> None:
    new = {"owner": ME, "session_id": "s", "profile": "default", "input": "x", "text": "x"}
    more = {"token_count": 1, "model": None, "instructions": None, "payload_hash": "h"}
    run = intake.NewRun(run_id="r", client_request_id="c", **new, **more)  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"queue_cap": 20, "check_profile": str, "max_bytes": MOST}
    db.write(lambda tx: intake.accept(tx, run, **arguments))
    db.write(lambda tx: tx.execute(update(SessionRow).values(stored_bytes=MOST * 2)))
    assert db.write(lambda tx: intake.accept(tx, run, **arguments)).repeated


def test_sessions_of_the_version_before_get_their_sums(db: Database, database_url: str) -> None:
    end(db, send(db, "x" * 100), *ROWS)
    exact = exact_sum(db)
    migrate_to(database_url, command.downgrade, "0005")
    migrate.upgrade(database_url)
    assert running_sum(db) == exact
