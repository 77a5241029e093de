"""The kit in short: every class of faults at least once, on each database."""

from __future__ import annotations

import pytest

from tests.chaos.evidence.report import table
from tests.chaos.faults.catalog import CLASSES
from tests.chaos.kit import run_plan
from tests.chaos.schedule import draw
from tests.support.servers.pgbouncer import find_pgbouncer
from tests.support.servers.postgres import find_binaries


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("database", "seed"), [("sqlite", 21), ("postgres", 22)])
def test_nothing_is_lost_doubled_or_left_open(database: str, seed: int) -> None:
    if database == "postgres" and None in (find_binaries(), find_pgbouncer()):
        pytest.skip("no PostgreSQL, or no PgBouncer")
    plan = draw(seed, 50, database, runs=70, faults=1)
    lines: list[str] = []
    outcome = run_plan(plan, say=lines.append, lease=4.0, warm_up=20.0)
    details = "\n".join([*outcome.stories, *map(str, outcome.violations), *lines])
    assert not outcome.violations, f"{details}\n{table(outcome.result)}\nlogs: {outcome.folder}"
    done = set(outcome.result["faults"])
    assert done == {c.__name__ for c in CLASSES if c.database in ("", database)}
    assert outcome.result["runs"] > 50
