"""What is too old goes, what is not stays, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.db.locks import lock_session
from shared.db.models import OrphanRow, RunRow, SessionRow, UsageRow
from shared.db.runs.gateway_orphans import STOP, track_orphan
from shared.db.sessions.edit_session import create_session
from shared.delete_session import SessionDeleter
from shared.event_log.clients import command_client
from shared.retention import SESSIONS_MOST, Policy, Retention, next_size
from shared.settings import Settings
from tests.integration.conftest import MakeWorker
from tests.support.turns import ask, end
from tests.support.worker_stand import WorkerStand
from worker.maintenance.old_data import clean_up

DAY = 86_400.0
Make = Callable[..., Retention]


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, session=False)


@pytest.fixture
def retention(stand: WorkerStand) -> Make:
    """One with these variables."""

    def make(**variables: object) -> Retention:
        environ = {**stand.environment, **{name: str(value) for name, value in variables.items()}}
        services = stand.services
        commands = command_client(services.settings.redis_url, connections=2)
        deleter = SessionDeleter(stand.db, services.event_log, commands, services.queue)
        return Retention(stand.db, deleter, Policy.of(Settings.load(environ)))

    return make


def add(
    stand: WorkerStand, name: str, *, days: float, owner: str = "default", **fields: Any
) -> None:
    """A session that was last used so many days ago."""
    make = partial(create_session, owner=owner, profile="default", session_id=name, **fields)
    stand.db.write(make)
    age(stand, SessionRow.last_active, SessionRow.id == name, days)


def age(stand: WorkerStand, column: Any, which: Any, days: float) -> None:
    """Make it so many days older."""
    table = column.class_
    earlier = {column.key: column - days * DAY}
    stand.db.write(lambda tx: tx.execute(update(table).where(which).values(earlier)))


def left(stand: WorkerStand) -> set[str]:
    return stand.db.read(lambda tx: {*tx.scalars(select(SessionRow.id))})


def count(stand: WorkerStand, table: type) -> int:
    def work(tx: Session) -> int:
        return tx.scalar(select(func.count()).select_from(table)) or 0

    return stand.db.read(work)


def test_by_default_only_what_was_made_to_be_thrown_away_goes(
    stand: WorkerStand, retention: Make
) -> None:
    add(stand, "old", days=10_000)
    add(stand, "throw-away", days=2, source="ephemeral")
    add(stand, "fresh-throw-away", days=0.5, source="ephemeral")
    assert retention().count()["sessions"] == 1
    assert left(stand) == {"old", "throw-away", "fresh-throw-away"}
    assert clean_up(stand.services)["sessions"] == 1
    assert left(stand) == {"old", "fresh-throw-away"}


def test_each_owner_has_an_age_of_their_own(stand: WorkerStand, retention: Make) -> None:
    for owner in ("default", "bot", "archive"):
        add(stand, f"{owner}-ten", days=10, owner=owner)
        add(stand, f"{owner}-two", days=2, owner=owner)
    done = retention(RETENTION_DAYS=5, RETENTION_OF_OWNERS="bot=1,archive=0").clean_up()
    assert done["sessions"] == 3
    assert left(stand) == {"default-two", "archive-ten", "archive-two"}


def test_pinned_sessions_and_those_with_an_open_run_stay(
    stand: WorkerStand, retention: Make
) -> None:
    add(stand, "pinned", days=10, pinned=True)
    add(stand, "waits", days=0)
    ask(stand.db, "waits", "a question")
    age(stand, SessionRow.last_active, SessionRow.id == "waits", 10)
    add(stand, "old", days=10)
    assert retention(RETENTION_DAYS=1).clean_up()["sessions"] == 1
    assert left(stand) == {"pinned", "waits"}


def test_one_that_is_used_right_before_it_would_go_stays(
    stand: WorkerStand, retention: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(stand, "old", days=10)
    keeper = retention(RETENTION_DAYS=1)
    expired = keeper._expired

    def then_it_is_used(owner: str, left: set[str]) -> object:
        found = expired(owner, left)
        ask(stand.db, "old", "still there?")
        return found

    monkeypatch.setattr(keeper, "_expired", then_it_is_used)
    assert keeper.clean_up()["sessions"] == 0
    assert left(stand) == {"old"}


def test_runs_without_a_session_usage_and_checked_orphans_go_by_their_age(
    stand: WorkerStand, retention: Make
) -> None:
    old, fresh, waiting = (ask(stand.db, None, "a question") for _ in range(3))
    for run_id in (old, fresh):
        end(stand.db, run_id)
    age(stand, RunRow.created_at, RunRow.id.in_([old, waiting]), 10)

    def others(tx: Session) -> None:
        for run_id, days in ((old, 10), (fresh, 0)):
            values = {"run_id": run_id, "owner": "default", "profile": "default"}
            tx.add(UsageRow(created_at=0.0, **values))
            track_orphan(
                tx,
                run_id=run_id,
                profile="default",
                kind=STOP,
                ephemeral_id=f"e-{days}",
                gateway_run_id="g",
            )
        tx.flush()
        tx.execute(update(OrphanRow).values(done_at=OrphanRow.created_at))
        tx.execute(
            update(UsageRow).values(
                created_at=select(func.max(RunRow.created_at)).scalar_subquery()
            )
        )

    stand.db.write(others)
    age(stand, UsageRow.created_at, UsageRow.run_id == old, 10)
    age(stand, OrphanRow.done_at, OrphanRow.run_id == old, 40)
    keeper = retention(RETENTION_RUNS_DAYS=5, RETENTION_USAGE_DAYS=5)
    expected = {"sessions": 0, "runs": 1, "usage": 1, "orphans": 1}
    assert keeper.count() == expected
    assert keeper.clean_up() == expected
    assert stand.db.read(lambda tx: {*tx.scalars(select(RunRow.id))}) == {fresh, waiting}
    assert (count(stand, UsageRow), count(stand, OrphanRow)) == (1, 1)


def test_what_does_not_fit_into_the_time_is_left_for_the_next_call(
    stand: WorkerStand, retention: Make
) -> None:
    add(stand, "old", days=10)
    keeper = retention(RETENTION_DAYS=1)
    assert keeper.clean_up(within=0.0)["sessions"] == 0
    assert keeper.clean_up()["sessions"] == 1


def test_a_process_that_is_to_stop_leaves_the_rest_for_the_next_call(
    stand: WorkerStand, retention: Make
) -> None:
    for number in range(8):
        add(stand, f"old-{number}", days=10)
    asked: list[bool] = []

    def stopping() -> bool:
        asked.append(True)
        return len(asked) > 3

    keeper = retention(RETENTION_DAYS=1)
    assert 0 < keeper.clean_up(stopping=stopping)["sessions"] < 8


def test_maintenance_that_is_told_to_stop_deletes_no_more(stand: WorkerStand) -> None:
    add(stand, "throw-away", days=2, source="ephemeral")
    stand.services.draining = True
    assert clean_up(stand.services)["sessions"] == 0
    assert "throw-away" in left(stand)


def test_others_get_most_of_the_time_between_two_transactions(
    stand: WorkerStand, retention: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add(stand, f"old-{number}", days=10)
    now = [0.0]
    rested: list[float] = []
    monkeypatch.setattr("shared.retention.monotonic", lambda: now[0])
    monkeypatch.setattr("shared.retention.sleep", rested.append)
    keeper = retention(RETENTION_DAYS=1)
    delete = keeper._deleter.delete_idle

    def slow(owner: str, session_ids: Any, which: Any) -> set[str]:
        now[0] += 0.4
        return delete(owner, session_ids, which)

    monkeypatch.setattr(keeper._deleter, "delete_idle", slow)
    assert keeper.clean_up()["sessions"] == 3
    assert rested == pytest.approx([1.6, 1.6, 1.6])  # four times as long as each took


def test_the_shorter_a_transaction_was_the_more_sessions_go_in_the_next(
    stand: WorkerStand, retention: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [next_size(1, 0.1, 0.3), next_size(16, 0.1, 0.3)] == [2, SESSIONS_MOST]
    assert [next_size(8, 0.3, 0.3), next_size(8, 0.6, 0.3), next_size(1, 9.0, 0.3)] == [8, 4, 1]
    for number in range(10):
        add(stand, f"old-{number}", days=10)
    keeper, at_once = retention(RETENTION_DAYS=1), []
    delete = keeper._deleter.delete_idle

    def noting(owner: str, session_ids: Any, which: Any) -> set[str]:
        at_once.append(len(session_ids))
        return delete(owner, session_ids, which)

    monkeypatch.setattr(keeper._deleter, "delete_idle", noting)
    monkeypatch.setattr("shared.retention.SHORT_ON_SQLITE", 100.0 if stand.db.is_sqlite else 0.0)
    monkeypatch.setattr("shared.retention.SHORT", 0.0 if stand.db.is_sqlite else 100.0)
    assert keeper.clean_up()["sessions"] == 10
    assert at_once == [1, 2, 4, 3]


def test_one_in_which_somebody_does_something_does_not_keep_the_others(
    stand: WorkerStand, retention: Make
) -> None:
    for name in ("old-1", "busy", "unannounced", "old-2"):
        add(stand, name, days=0)
    end(stand.db, ask(stand.db, "unannounced", "a question"))
    not_told = update(RunRow).values(announced_at=None, terminal_seq=3)
    stand.db.write(lambda tx: tx.execute(not_told))
    age(stand, SessionRow.last_active, SessionRow.id.is_not(None), 10)
    deleter = retention()._deleter
    names = ["old-1", "busy", "unannounced", "old-2"]
    gone = deleter.delete_idle(
        "default", names, lambda _, locked: [name for name in locked if name != "busy"]
    )
    assert gone == {"old-1", "old-2"}
    assert left(stand) == {"busy", "unannounced"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_whoever_has_locked_a_session_keeps_it_and_nobody_waits(
    stand: WorkerStand, retention: Make
) -> None:
    for name in ("locked", "old"):
        add(stand, name, days=10)

    def while_locked(tx: Session) -> int:
        assert lock_session(tx, "default", "locked") is not None
        return retention(RETENTION_DAYS=1).clean_up()["sessions"]

    assert stand.db.write(while_locked) == 1
    assert left(stand) == {"locked"}
