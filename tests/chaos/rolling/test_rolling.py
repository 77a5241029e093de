"""A rolling restart from the release before, in short; `python -m tests.chaos.rolling` is long."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.evidence.report import table
from tests.chaos.kit import carry_out
from tests.chaos.rolling.restart import plan_of, troubles
from tests.chaos.rolling.stage import RollingStage
from tests.support.servers.pgbouncer import find_pgbouncer
from tests.support.servers.postgres import find_binaries
from tests.support.servers.proxies import find_program

SESSIONS = 12


@pytest.mark.timeout(300)
def test_nobody_notices_that_everything_is_replaced_while_migrating() -> None:
    if None in (find_binaries(), find_pgbouncer(), find_program("nginx")):
        pytest.skip("no PostgreSQL, no PgBouncer, or no nginx")
    plan = plan_of(SESSIONS, 6.0, 8, web=2, workers=2, upgrade=True)
    stage = RollingStage(web=2, workers=2, slots=SESSIONS, from_release_before=True)
    lines: list[str] = []
    outcome = carry_out(plan, stage, say=lines.append)
    details = "\n".join([*outcome.stories, *map(str, outcome.violations), *lines])
    assert not outcome.violations, f"{details}\n{table(outcome.result)}\nlogs: {outcome.folder}"
    done = Counter(WorkerTerminated=2, WebTerminated=2, MaintenanceTerminated=1, BeatTerminated=1)
    assert outcome.result["faults"] == done + Counter(StreamsOpened=1, Migrated=1)
    assert troubles(outcome.result) == {}
