"""More runs than may be open are refused, for one user and for all (ADR 0024)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import RunRow
from shared.db.runs.accept import Accepted, NewRun, accept_once
from shared.db.runs.queue.admission import RunLimits
from shared.errors import Overloaded, QuotaExceeded
from tests.support.waiting_runs import add_waiting
from web.api.backlog import COUNT_EVERY, Backlog


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    db = Database(database_url)
    yield db
    db.close()


def send(
    db: Database, run_id: str, limits: RunLimits, *, owner: str = "a", request: str | None = None
) -> Accepted:
    new = NewRun(
        run_id=run_id,
        owner=owner,
        session_id=None,
        profile="default",
        input="x",
        text="x",
        token_count=1,
        model=None,
        instructions=None,
        client_request_id=request,
        payload_hash="h",
    )
    return accept_once(db, new, queue_cap=20, check_profile=str, limits=limits)


def test_one_user_may_have_so_many_that_wait_and_others_are_not_concerned(db: Database) -> None:
    limits = RunLimits(waiting=2)
    first = send(db, "r1", limits, request="one")
    send(db, "r2", limits)
    with pytest.raises(QuotaExceeded) as refused:
        send(db, "r3", limits)
    assert (refused.value.code, refused.value.retry_after) == ("quota", 5.0)
    assert send(db, "r4", limits, request="one").run_id == first.run_id, "a repeated one is known"
    assert send(db, "r5", limits, owner="b").starts_now
    db.write(lambda tx: tx.execute(update(RunRow).values(state="running", lease_until=9e9)))
    assert send(db, "r6", limits).starts_now


def test_those_that_are_live_count_for_the_limit_of_open_runs(db: Database) -> None:
    limits = RunLimits(open_runs=2)
    send(db, "r1", limits)
    send(db, "r2", limits)
    db.write(lambda tx: tx.execute(update(RunRow).values(state="running", lease_until=9e9)))
    with pytest.raises(QuotaExceeded):
        send(db, "r3", limits)
    ended = {"state": "completed", "announced_at": 1.0, "terminal_seq": 1}
    db.write(lambda tx: tx.execute(update(RunRow).where(RunRow.id == "r1").values(**ended)))
    assert send(db, "r3", limits).starts_now


def test_with_as_many_waiting_as_may_wait_all_are_refused_until_some_have_started(
    db: Database,
) -> None:
    now = [100.0]
    backlog = Backlog(db, 10, lambda: now[0])
    add_waiting(db, runs=9, owners=3)
    backlog.require_room()
    send(db, "r1", RunLimits())
    backlog.require_room()  # counted a moment ago
    now[0] += COUNT_EVERY
    for _ in range(2):
        with pytest.raises(Overloaded) as refused:
            backlog.require_room()
    assert (refused.value.code, refused.value.retry_after) == ("overloaded", 10.0)
    gone = update(RunRow).where(RunRow.id == "r1").values(state="running", lease_until=9e9)
    db.write(lambda tx: tx.execute(gone))
    now[0] += COUNT_EVERY
    backlog.require_room()
