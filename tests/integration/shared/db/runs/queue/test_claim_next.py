"""Which run is next: round the owners, then by age, on both databases (R11, ADR 0024)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.database import Database
from shared.db.locks import lock_session
from shared.db.models import RunRow
from shared.db.runs import terminal
from shared.db.runs.claim import Claim, Refusal, Refused
from shared.db.runs.complete import Closing, close
from shared.db.runs.ownership import put_back
from shared.db.runs.queue.claim_next import claim_next
from shared.db.runs.queue.due import START, count_due, due_runs, number_missed
from shared.db.runs.queue.fair_order import next_no
from shared.protocol.run_states import RunState
from tests.support.rows import add_run, add_session, run_row
from tests.support.waiting_runs import add_waiting

Limits = Callable[[str], int]


def no_limit(profile: str) -> int:
    return 0


def ask(db: Database, limits: Limits = no_limit, *passed_over: str) -> Claim | Refused | None:
    return db.write(lambda tx: claim_next(tx, "w", 60.0, limits, passed_over))


def taken(db: Database, limits: Limits = no_limit) -> Claim:
    answer = ask(db, limits)
    assert isinstance(answer, Claim), answer
    return answer


def due(db: Database, owner: str, session_id: str | None = None, **columns: Any) -> str:
    """A run that has just become due."""
    run_id = add_run(db, session_id, owner=owner, **columns)
    number(db, run_id, owner, str(columns.get("profile", "default")))
    return run_id


def number(db: Database, run_id: str, owner: str, profile: str) -> None:
    numbered = update(RunRow).where(RunRow.id == run_id).values(due_no=next_no())
    db.write(
        lambda tx: tx.connection().execute(numbered, {"of_owner": owner, "of_profile": profile})
    )


def order(db: Database) -> list[str]:
    """The owners of all due runs, as they are claimed."""
    owners = []
    while (answer := ask(db)) is not None:
        assert isinstance(answer, Claim)
        owners.append(answer.owner)
    return owners


def end(db: Database, claim: Claim) -> None:
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=5)
    _, told = db.write(lambda tx: close(tx, claim, closing))
    if told.session is None:
        db.write(lambda tx: terminal.mark_announced(tx, claim.run_id))
    else:
        session = told.session
        db.write(lambda tx: terminal.mark_announced_before(tx, claim.run_id, session))


def test_the_rounds_go_by_owner_then_by_age(db: Database) -> None:
    for _ in range(4):
        due(db, "many")
    for owner in ("few", "few", "one"):
        due(db, owner)
    assert order(db) == ["many", "few", "one", "many", "few", "many", "many"]


def test_who_comes_late_joins_the_round_that_is_under_way(db: Database) -> None:
    for _ in range(20):
        due(db, "many")
    assert [taken(db).owner for _ in range(10)] == ["many"] * 10
    due(db, "late")
    assert taken(db).owner == "late"
    assert taken(db).owner == "many"


def test_who_asks_again_and_again_gets_one_run_in_each_round(db: Database) -> None:
    for _ in range(20):
        due(db, "many")
    served = []
    due(db, "eager")
    for _ in range(12):
        served.append(claim := taken(db))
        if claim.owner == "eager":
            due(db, "eager")
    assert [claim.owner for claim in served].count("eager") == 6


def test_rounds_do_not_go_back_when_runs_of_an_early_one_live_long(db: Database) -> None:
    taken_first = due(db, "long")
    assert taken(db).run_id == taken_first
    for _ in range(30):
        due(db, "many")
    for _ in range(10):
        end(db, taken(db))
    due(db, "late")
    due(db, "late")
    # One before the round, since it was not in the last one, and one in it.
    assert [taken(db).owner for _ in range(4)] == ["late", "late", "many", "many"]


def test_a_single_run_does_not_wait_for_one_of_each_of_the_others(db: Database) -> None:
    for _ in range(3):
        for number in range(20):
            due(db, f"owner-{number}")
    for _ in range(5):
        taken(db)
    due(db, "new")
    assert taken(db).owner == "new"
    due(db, "new")  # no credit any more: it waits as all do
    assert "new" not in [taken(db).owner for _ in range(14)]


def test_of_a_session_the_next_one_is_due_when_the_end_before_it_is_announced(
    db: Database,
) -> None:
    add_session(db, "s", owner="a")
    first = due(db, "a", "s")
    second = add_run(db, "s", owner="a", queue_no=2)
    claim = taken(db)
    assert claim.run_id == first
    assert ask(db) is None
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=5)
    _, told = db.write(lambda tx: close(tx, claim, closing))
    assert ask(db) is None, "its end is not announced"
    assert told.session == ("a", "s")
    db.write(lambda tx: terminal.mark_announced_before(tx, first, ("a", "s")))
    assert taken(db).run_id == second


def test_a_run_that_is_taken_for_due_holds_up_no_other(db: Database) -> None:
    add_session(db, "s", owner="a")
    behind = due(db, "a", "s", queue_no=2)
    first = add_run(db, "s", owner="a", queue_no=1)
    other = due(db, "b")
    assert ask(db) == Refused(Refusal.NOT_FIRST)
    assert run_row(db, behind).due_no is None
    assert {taken(db).run_id, taken(db).run_id} == {first, other}
    assert ask(db) is None


def test_an_unannounced_end_is_named_and_its_run_is_not_due(db: Database) -> None:
    add_session(db, "s", owner="a")
    due(db, "a", "s")
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=5)
    claim = taken(db)
    db.write(lambda tx: close(tx, claim, closing))
    due(db, "a", "s", queue_no=2)
    answer = ask(db)
    assert isinstance(answer, Refused)
    assert (answer.why, answer.predecessors) == (Refusal.UNANNOUNCED, (claim.run_id,))
    assert (answer.owner, answer.session_id) == ("a", "s")
    assert ask(db) is None


def test_a_profile_without_a_permit_holds_up_no_other_one(db: Database) -> None:
    for n in range(5):
        due(db, "a", profile="small", created_at=float(n + 1))
    large = due(db, "a", profile="large")

    def limits(profile: str) -> int:
        return 1 if profile == "small" else 0

    assert db.read(lambda tx: count_due(tx, limits, 100)) == 2
    first = taken(db, limits)
    assert first.profile == "small"
    assert taken(db, limits).run_id == large
    assert ask(db, limits) is None
    assert db.read(lambda tx: count_due(tx, limits, 100)) == 0
    end(db, first)
    assert taken(db, limits).profile == "small"


def test_who_comes_late_to_a_profile_without_permits_joins_its_first_round(db: Database) -> None:
    for _ in range(5):
        due(db, "a", profile="small")
    for _ in range(20):
        due(db, "b", profile="large")
        taken(db, lambda profile: 1 if profile == "small" else 0)
    due(db, "late", profile="small")
    small = [claim for claim in iter(lambda: ask(db), None) if isinstance(claim, Claim)]
    owners = [claim.owner for claim in small if claim.profile == "small"]
    assert owners.index("late") <= 1


def test_a_pause_keeps_the_place_and_holds_up_nobody(db: Database) -> None:
    due(db, "a")
    claim = taken(db)
    later = [due(db, "a") for _ in range(2)]
    db.write(lambda tx: put_back(tx, claim, last_seq=0, delay=60.0))
    assert db.read(lambda tx: count_due(tx, no_limit, 100)) == 2
    assert taken(db).run_id == later[0]
    over = db.read(read_clock) - 1.0
    db.write(lambda tx: tx.execute(update(RunRow).values(not_before=over)))
    assert taken(db).run_id == claim.run_id
    assert taken(db).run_id == later[1]


def test_many_at_once_get_a_run_each_and_every_run_once(db: Database) -> None:
    for n in range(24):
        name = f"s{n}"
        add_session(db, name, owner=f"o{n % 5}")
        due(db, f"o{n % 5}", name)
    got: list[str] = []

    def work() -> None:
        for _ in range(60):
            answer = ask(db)
            if isinstance(answer, Claim):
                got.append(answer.run_id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == len(set(got)) == 24


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_session_that_somebody_else_has_is_passed_over_without_waiting(
    db: Database, database_url: str
) -> None:
    add_session(db, "s", owner="a")
    held, other = due(db, "a", "s"), due(db, "b")
    second = Database(database_url)

    def hold(tx: Session) -> None:
        lock_session(tx, "a", "s")
        assert ask(second) == Refused(Refusal.BUSY, run_id=held)
        answer = ask(second, no_limit, held)
        assert isinstance(answer, Claim)
        assert answer.run_id == other

    db.write(hold)
    assert taken(second).run_id == held
    second.close()


def test_runs_that_lack_their_number_get_it_some_at_a_time(db: Database) -> None:
    add_session(db, "s")
    first = add_run(db, "s", created_at=1.0)
    add_run(db, "s", queue_no=2, created_at=2.0)
    alone = [add_run(db, None, created_at=float(n)) for n in (3, 4)]
    place = db.write(lambda tx: number_missed(tx, START, 2))
    assert db.read(lambda tx: due_runs(tx, no_limit, 9)) == [first]
    place = db.write(lambda tx: number_missed(tx, place, 2))
    assert db.read(lambda tx: due_runs(tx, no_limit, 9)) == [first, *alone]
    assert db.write(lambda tx: number_missed(tx, place, 2)) == START


@contextmanager
def statements(db: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(db._engine, "before_cursor_execute", note)
    yield seen
    event.remove(db._engine, "before_cursor_execute", note)


def test_a_claim_reads_no_more_however_many_wait(db: Database) -> None:
    add_waiting(db, runs=4000, owners=40)
    due(db, "late", created_at=1.0)
    if not db.is_sqlite:
        db.write(lambda tx: tx.execute(text("ANALYZE runs")))
    with statements(db) as seen:
        taken(db)
        due(db, "late")
    explain = "EXPLAIN QUERY PLAN " if db.is_sqlite else "EXPLAIN "
    chosen = [pair for pair in seen if pair[0].startswith(("SELECT", "WITH", "UPDATE"))]
    plans = []

    def explained(tx: Session, statement: str, parameters: Any) -> list[str]:
        rows = tx.connection().exec_driver_sql(explain + statement, parameters)
        return [str(row[-1]) for row in rows]

    for statement, parameters in chosen:
        plans += db.read(lambda tx, s=statement, p=parameters: explained(tx, s, p))  # type: ignore[misc]
    scans = [line for line in plans if "Seq Scan on runs" in line or "SCAN runs" in line]
    assert all("INDEX" in line for line in scans), plans
    assert any("runs_due" in line for line in plans), plans
    assert db.read(lambda tx: tx.scalar(select(func.count()).select_from(RunRow))) == 4002
