"""Stored times that lie in the future, because the database's clock was set back (C5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from shared.conversation.compression_plan import LastCompression, cooling_down
from shared.db import gateway_sessions
from shared.db.clock import read_clock
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import ApprovalRow, CompressionRow, DeletionRow, OrphanRow, RunRow
from shared.db.runs import approvals, gateway_orphans, overdue
from shared.db.runs.claim import Claim, Refused, claim
from shared.db.runs.queue.claim_next import wake_paused
from shared.db.sessions.compressions import seconds_of
from tests.support.rows import add_run, run_row

HOUR = 3600.0


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    db = Database(database_url)
    yield db
    db.close()


def now(db: Database) -> float:
    return db.read(read_clock)


def take(db: Database, run_id: str) -> Claim | Refused:
    return db.write(lambda tx: claim(tx, run_id, "w", 15.0))


def change(db: Database, **columns: Any) -> None:
    db.write(lambda tx: tx.execute(update(RunRow).values(**columns)))


def test_a_pause_an_hour_ahead_is_over_and_a_pause_of_a_minute_is_not(db: Database) -> None:
    run_id = add_run(db, None, not_before=now(db) + 60, due_no=1)
    assert isinstance(take(db, run_id), Refused)
    assert db.write(lambda tx: wake_paused(tx, 5)) == 0
    change(db, not_before=now(db) + HOUR)
    assert db.write(lambda tx: wake_paused(tx, 5)) == 1
    assert isinstance(take(db, run_id), Claim)


def test_the_wait_for_a_gateway_begins_now_if_it_began_in_the_future(db: Database) -> None:
    run_id = add_run(db, None, created_at=now(db) + HOUR, first_claimed_at=now(db) + HOUR)
    claimed = take(db, run_id)
    assert isinstance(claimed, Claim)
    assert (claimed.waited, claimed.since_first_claim) == (0.0, 0.0)
    assert (run_row(db, run_id).first_claimed_at or 0.0) <= now(db)


def test_a_lapsed_run_that_was_sent_in_the_future_is_sent_again(db: Database) -> None:
    run_id = add_run(db, None)
    take(db, run_id)
    change(db, lease_until=1.0, enqueued_at=now(db) + HOUR)
    assert db.write(lambda tx: overdue.lapsed_runs(tx, 10.0, 10)) == [run_id]


def test_leases_that_no_owner_can_have_are_found_and_end_only_as_they_were_found(
    db: Database,
) -> None:
    run_id, sound = add_run(db, None), add_run(db, None)
    for each in (run_id, sound):
        take(db, each)
    until = now(db) + HOUR
    db.write(
        lambda tx: tx.execute(update(RunRow).where(RunRow.id == run_id).values(lease_until=until))
    )
    found = db.read(lambda tx: overdue.leases_beyond(tx, 30.0, 10))
    assert found == [(run_id, 1, until)]
    assert not db.write(lambda tx: overdue.end_lease(tx, run_id, 1, until + 1))
    assert not db.write(lambda tx: overdue.end_lease(tx, run_id, 2, until))
    assert db.write(lambda tx: overdue.end_lease(tx, run_id, 1, until))
    assert db.write(lambda tx: overdue.lapsed_runs(tx, 0.0, 10)) == [run_id]


def test_what_is_due_at_the_gateway_is_due_though_its_time_is_beyond_its_pause(
    db: Database,
) -> None:
    ahead = now(db) + 48 * HOUR

    def work(tx: Any) -> None:
        gateway_sessions.queue_deletion(tx, "default", "e", saved=False)
        gateway_orphans.track_orphan(
            tx, run_id="r", profile="p", kind="stop", ephemeral_id="e", gateway_run_id=None
        )
        tx.execute(update(OrphanRow).values(next_at=now_in(tx) + HOUR))

    db.write(work)
    assert db.read(gateway_sessions.due_profiles) == [], "its day is not over"
    db.write(lambda tx: tx.execute(update(DeletionRow).values(next_attempt_at=ahead)))
    assert db.read(gateway_sessions.due_profiles) == ["default"]
    assert len(db.write(lambda tx: gateway_sessions.take_due(tx, "default", 5))) == 1
    assert len(db.read(lambda tx: gateway_orphans.due_orphans(tx, 5))) == 1


def now_in(tx: Any) -> float:
    return read_clock(tx)


def test_an_answer_of_the_future_is_sent(db: Database) -> None:
    columns = {"run_id": "r", "approval_id": 1, "choice": "once", "answered_at": now(db) + HOUR}
    db.write(lambda tx: tx.execute(insert(ApprovalRow).values(**columns)))
    assert db.read(lambda tx: approvals.unsent_answers(tx, 10.0, 5)) == [("r", 1)]


def test_a_compression_of_the_future_does_not_hold_up_the_next_one() -> None:
    failed = LastCompression(at=5_000.0, succeeded=False, after_tokens=0, failures=1)
    assert not cooling_down(failed, 100, 5_000.0 - HOUR)
    assert cooling_down(failed, 100, 5_001.0)


def test_a_compression_takes_as_long_as_was_measured(db: Database) -> None:
    def row(**times: float | None) -> CompressionRow:
        columns = {"owner": "o", "session_id": "s", "run_id": "r", "fence": 1, "profile": "p"}
        counts = {"trigger_tokens": 1, "threshold": 1, "before_messages": 1, "first_turn": 1}
        more = {"kind": "full", "last_turn": 1, "ephemeral_id": "e"}
        return CompressionRow(**columns, **counts, **more, **times)

    db.write(lambda tx: tx.add(row(started_at=HOUR, ended_at=10.0, duration=7.0)))
    db.write(lambda tx: tx.add(row(started_at=HOUR, ended_at=10.0, duration=None)))
    db.write(lambda tx: tx.add(row(started_at=10.0, ended_at=13.0, duration=None)))
    assert db.read(lambda tx: seconds_of(tx, "r")) == 10.0
    assert db.read(lambda tx: tx.scalar(select(CompressionRow.id).limit(1))) is not None
