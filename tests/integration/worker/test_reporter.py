"""What a worker reports of itself, with a real Redis server."""

from __future__ import annotations

import threading

import pytest

from shared.event_log.clients import command_client
from shared.event_log.worker_reports import WorkerReports
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import add_run
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.worker_stand import SESSION, WorkerStand
from worker.reporter import Reporter
from worker.run.run_turn import run_turn


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url)


@pytest.fixture
def reports(redis_server: RedisServer) -> WorkerReports:
    return WorkerReports(command_client(redis_server.url))


def test_it_reports_its_slots_and_how_far_its_runs_are(
    stand: WorkerStand, reports: WorkerReports
) -> None:
    reporter = Reporter(stand.services, reports)
    name = stand.services.name
    reporter.report()
    settings = stand.services.settings
    assert reports.read()[name].slots == settings.worker_concurrency
    assert reports.read()[name].runs == {}
    run_id = add_run(
        stand.db, SESSION, text=scripted(tokens=3, text="four", stall={"after": 2, "seconds": 2})
    )
    turn = threading.Thread(target=run_turn, args=(stand.services, run_id))
    turn.start()

    def has_text() -> bool:
        reporter.report()
        live = reports.read()[name].runs.get(run_id)
        return live is not None and live.characters == 8 and live.first_token_at is not None

    wait_until(has_text, what="two deltas are reported")
    turn.join()
    reporter.report()
    assert reports.read()[name].runs == {}


def test_a_worker_that_ends_is_in_no_list(stand: WorkerStand, reports: WorkerReports) -> None:
    reporter = Reporter(stand.services, reports)
    reporter.start()
    assert stand.services.name in reports.read()
    reporter.stop()
    assert stand.services.name not in reports.read()
