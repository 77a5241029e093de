"""Requests of operators read by an index, however many runs there were (both databases)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import RunRow, UsageRow
from shared.db.operations.leases import held_runs
from shared.db.operations.queue_figures import queue_figures
from shared.db.operations.run_counts import run_counts
from shared.db.operations.run_stats import WINDOWS, run_stats
from shared.db.operations.runs_of_all import list_facts, open_facts
from shared.db.operations.timelines import read_timeline
from shared.db.runs.run_status import RunFilter
from shared.db.usage_report import By, Span, sums, sums_of_days, total
from shared.protocol.run_states import RunState

COUNT = 4000
NOW = 1_800_000_000.0

Work = Callable[[Session], object]
QUERIES: dict[str, tuple[Work, set[str]]] = {
    "the newest of all": (
        lambda tx: list_facts(tx, None, RunFilter(), after=None, limit=20),
        {"runs_of_all_by_time"},
    ),
    "a later page": (
        lambda tx: list_facts(tx, None, RunFilter(), after=(NOW - 9000, "run"), limit=20),
        {"runs_of_all_by_time"},
    ),
    "the newest of one": (
        lambda tx: list_facts(tx, "owner-1", RunFilter(), after=None, limit=20),
        {"runs_by_time"},
    ),
    "failed ones": (
        lambda tx: list_facts(tx, None, RunFilter(states=[RunState.FAILED]), after=None, limit=20),
        {"runs_failed"},
    ),
    "queued ones": (
        lambda tx: list_facts(tx, None, RunFilter(states=[RunState.QUEUED]), after=None, limit=20),
        {"runs_not_done"},
    ),
    "open ones": (lambda tx: open_facts(tx, None, 100), {"runs_not_done"}),
    "the queue": (lambda tx: queue_figures(tx, None), {"runs_not_done"}),
    "one's queue": (lambda tx: queue_figures(tx, "owner-1"), {"runs_of_owner_not_done"}),
    "usage of a day": (lambda tx: sums(tx, By.OWNER, Span(NOW - 60, NOW)), {"usage_by_time"}),
    "one's usage": (
        lambda tx: total(tx, Span(NOW - 400, NOW, owner="owner-1")),
        {"usage_of_owner"},
    ),
    "counts of all": (lambda tx: run_counts(tx, None, NOW - 60), {"runs_not_done"}),
    "counts of one": (
        lambda tx: run_counts(tx, "owner-1", NOW - 400),
        {"runs_of_owner_not_done", "runs_by_time"},
    ),
    "leases": (held_runs, {"runs_not_done"}),
    "plots of all": (
        lambda tx: run_stats(tx, None, WINDOWS["hour"], NOW + 7000),
        {"runs_ended", "runs_of_all_by_time"},
    ),
    "plots of one": (
        lambda tx: run_stats(tx, "owner-1", WINDOWS["hour"], NOW + 6500),
        {"runs_by_time"},
    ),
    "usage by day and model": (
        lambda tx: sums_of_days(tx, Span(NOW - 60, NOW)),
        {"usage_by_time"},
    ),
    "a timeline": (lambda tx: read_timeline(tx, None, "run_7"), {"runs_pkey", "sqlite_autoindex"}),
}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """Thousands of runs of a hundred users, of which few are open and few have failed."""
    upgrade(database_url)
    database = Database(database_url)
    database.write(_fill)
    analyze = text("ANALYZE")
    database.write(lambda tx: tx.execute(analyze))
    yield database
    database.close()


def _fill(tx: Session) -> None:
    runs, usage = [], []
    for number in range(COUNT):
        state = "failed" if number % 500 == 3 else "queued" if number % 500 == 7 else "completed"
        at = NOW - number
        whose = {"owner": f"owner-{number % 100}", "session_id": f"s{number}", "profile": "default"}
        runs.append(
            {
                "id": f"run_{number}",
                **whose,
                "state": state,
                "input": "x" * 200,
                "payload_hash": uuid.uuid4().hex,
                "queue_no": 1,
                "created_at": at,
                "announced_at": None if state == "queued" else at,
                "ended_at": None if state == "queued" else at,
            }
        )
        usage.append({"run_id": f"run_{number}", **whose, "created_at": at})
    tx.execute(insert(RunRow), runs)
    tx.execute(insert(UsageRow), usage)


@pytest.mark.parametrize("name", QUERIES)
def test_it_is_read_by_an_index(db: Database, name: str) -> None:
    work, wanted = QUERIES[name]
    plans = db.read(lambda tx: plans_of(tx, work))
    assert plans
    for plan in plans:
        assert "Seq Scan on runs" not in plan, plan
        assert "Seq Scan on session_usage" not in plan, plan
        # What a query has read before has no index, and needs none.
        inner = ("SCAN anon_", "SCAN (subquery")
        scans = [line for line in plan.splitlines() if line.startswith("SCAN ")]
        scanned = [line for line in scans if not line.startswith(inner)]
        assert all("USING" in line for line in scanned), plan  # in the order of an index
    assert any(index in plans[0] for index in wanted), plans[0]


def plans_of(tx: Session, work: Work) -> list[str]:
    """The plans of all queries that the work makes of runs and usage."""
    seen: list[tuple[str, Any]] = []
    connection = tx.connection()

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM runs" in statement or "FROM session_usage" in statement:
            seen.append((statement, parameters))

    event.listen(connection.engine, "before_cursor_execute", note)
    try:
        work(tx)
    finally:
        event.remove(connection.engine, "before_cursor_execute", note)
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    column = -1 if connection.dialect.name == "sqlite" else 0
    return [
        "\n".join(
            row[column] for row in connection.exec_driver_sql(f"{word} {statement}", parameters)
        )
        for statement, parameters in seen
    ]
