"""What the reaper asks in each tick reads by an index, however many runs wait (both databases).

What claims ask as well must do so even with the statistics of a time when few waited, which
PostgreSQL has when very many have just come.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.runs.overdue import lapsed_runs, leases_beyond
from shared.db.runs.queue.claim_next import claim_next, wake_paused
from shared.db.runs.queue.due import START, count_due, due_runs, number_missed
from shared.db.runs.queue.places import places
from shared.db.runs.terminal import unannounced
from shared.db.sessions.read import live_sessions
from tests.support.rows import add_run
from tests.support.waiting_runs import add_waiting

WAITING = 2000
LIMIT = 100
FEW = ("INDEX runs_due", "INDEX one_live_run_per_session")  # read up to a limit; only what is live
READ = re.compile(r"actual time=\S+ rows=(\d+)|Rows Removed by Filter: (\d+)")

Work = Callable[[Session], object]
OF_TICKS: dict[str, Work] = {
    "ends to announce": lambda tx: unannounced(tx, LIMIT),
    "lapsed and not sent": lambda tx: lapsed_runs(tx, 10.0, LIMIT),
    "leases of the future": lambda tx: leases_beyond(tx, 30.0, LIMIT),
    "sessions with a live run": live_sessions,  # these two are not of ticks, but of pages that wait
    "places in the queue": lambda tx: places(tx, LIMIT),
}
OF_CLAIMS: dict[str, Work] = {
    "the next": lambda tx: claim_next(tx, "w", 60.0),
    "the next of a profile with a limit": lambda tx: claim_next(tx, "w", 60.0, lambda profile: 50),
    "pauses": lambda tx: wake_paused(tx, LIMIT),
    "due without a number": lambda tx: number_missed(tx, START, LIMIT),
    "how many are due": lambda tx: count_due(tx, lambda profile: 0, LIMIT),
    "how many may start": lambda tx: count_due(tx, lambda profile: 50, LIMIT),
    "which are due": lambda tx: due_runs(tx, lambda profile: 0, LIMIT),
}


@pytest.mark.parametrize("name", [*OF_TICKS, *OF_CLAIMS])
def test_however_many_wait_few_rows_are_read(db: Database, name: str) -> None:
    add_waiting(db, runs=WAITING, owners=60)
    _analyze(db)
    _read_few(db, (OF_TICKS | OF_CLAIMS)[name])


@pytest.mark.parametrize("name", [*OF_TICKS, *OF_CLAIMS])
def test_however_many_have_just_come_few_rows_are_read(db: Database, name: str) -> None:
    add_run(db, None, state="completed", ended_at=1.0, terminal_seq=1, announced_at=1.0)
    _analyze(db)
    add_waiting(db, runs=WAITING, owners=60)
    _read_few(db, (OF_TICKS | OF_CLAIMS)[name])


def _analyze(db: Database) -> None:
    if not db.is_sqlite:  # nothing here has SQLite make statistics
        db.write(lambda tx: tx.execute(text("ANALYZE runs")))


def _read_few(db: Database, work: Work) -> None:
    plans = db.write(lambda tx: _plans(tx, work))
    assert plans
    if db.is_sqlite:
        scans = [line for line in plans if line.startswith("SCAN runs")]
        assert not [line for line in scans if not any(index in line for index in FEW)], plans
    else:
        read = [int(a or b) for line in plans for a, b in READ.findall(line)]
        assert max(read) <= LIMIT, "\n".join(plans)


def _plans(tx: Session, work: Work) -> list[str]:
    """How the database did what `work` asked for; on PostgreSQL, how many rows that took."""
    connection, seen = tx.connection(), []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    work(tx)
    event.remove(connection, "before_cursor_execute", note)
    is_sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN (ANALYZE) "
    asked = [pair for pair in seen if pair[0].startswith(("SELECT", "WITH"))]
    return [
        str(row[-1])
        for statement, parameters in asked
        for row in connection.exec_driver_sql(explain + statement, parameters)
    ]
