"""Runs at a gateway that gives no transcript: old, and with its home elsewhere (P25)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from shared.db.models import MessageRow, OrphanRow
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.rows import add_run, run_row
from tests.support.worker_stand import SESSION, WorkerStand
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.run.run_turn import run_turn

TOOL = {"after": 2, "name": "terminal", "output": "the result"}


@pytest.fixture(scope="module")
def old() -> Iterator[DemoGateway]:
    with DemoGateway.start(key="a-key-of-the-old-one", max_runs=0, no_sessions=True) as started:
        yield started


@pytest.fixture
def stand(make_worker: MakeWorker, old: DemoGateway) -> WorkerStand:
    return make_worker(at=old, LEASE_SECONDS=30, STOP_TIMEOUT=1, WATCHDOG_SECONDS=1)


def stored(stand: WorkerStand, run_id: str) -> list[tuple[str, str]]:
    query = select(MessageRow).where(MessageRow.run_id == run_id).order_by(MessageRow.idx)
    rows = stand.db.read(lambda tx: list(tx.scalars(query)))
    return [(row.role, row.content.strip()) for row in rows]


def orphans(stand: WorkerStand) -> list[tuple[str, bool]]:
    rows = stand.db.read(lambda tx: list(tx.scalars(select(OrphanRow))))
    return [(row.kind, row.done_at is not None) for row in rows]


def test_what_was_streamed_is_kept_and_the_rest_is_not_waited_for(stand: WorkerStand) -> None:
    run_id = add_run(stand.db, SESSION, text=scripted(tokens=4, rate=0, tools=[TOOL]))
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert stored(stand, run_id) == [
        ("user", scripted(tokens=4, rate=0, tools=[TOOL])),
        ("assistant", "t1 t2"),
        ("tool", ""),
        ("assistant", "t3 t4"),
    ]
    assert orphans(stand) == [("sync", False)]
    check_orphaned_runs(stand.services)
    assert orphans(stand) == [("sync", True)], "it will never come"


def test_a_stopped_run_keeps_its_text(stand: WorkerStand) -> None:
    run_id = add_run(stand.db, SESSION, text=scripted(tokens=20, rate=100, end="cancelled"))
    run_turn(stand.services, run_id)
    assert stored(stand, run_id)[1][1].split() == [f"t{n}" for n in range(1, 21)]
