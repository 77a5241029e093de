"""Registers the Celery tasks. A task is a hint that something may need doing: the rows decide."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from shared.celery_savings import TaskEvents
from shared.errors import GatewayError, Unavailable
from shared.job_ledger import JobLedger
from shared.task_queue import (
    ADD_SEARCH_TERMS,
    ANSWER,
    CHECK_ORPHANS,
    CHECK_ORPHANS_FORMER,
    CLEAN_UP,
    DELETE_EPHEMERAL,
    REAP,
    RUN_TURN,
    STOP_RUN,
    SWEEP_EPHEMERAL,
    TAKE_OVER,
)
from worker.maintenance.approval_delivery import answer_approval
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.maintenance.gateway_session_cleanup import delete_due, sweep
from worker.maintenance.old_data import clean_up
from worker.maintenance.reaper import Reaper
from worker.maintenance.search_index import SearchIndex
from worker.maintenance.standby_reaper import LastTick
from worker.maintenance.stop_run import stop_run
from worker.queue_admission import QueueAdmission
from worker.run.run_turn import run_next, run_turn
from worker.services import Services
from worker.task_report import EXPECTED, HANDED_ON, reported

log = logging.getLogger(__name__)

Every = Mapping[str, float]

SHOWN_FROM = 60.0  # seconds between two runs of a task that Flower shows


def register_run_tasks(
    app: Celery, services: Services, admission: QueueAdmission, events: TaskEvents
) -> None:
    """The tasks of the green worker: runs."""

    def do(task: Any, work: Callable[[], object]) -> str:
        """A database that is away is one line in the log: the reaper has a worker try again."""
        try:
            return reported(task, events, work)
        except Unavailable as error:
            log.warning("run.not_done error=%s", type(error).__name__)
            return error.code

    @app.task(name=RUN_TURN, bind=True, throws=EXPECTED)
    def _run_turn(task: Any, named: str) -> str:
        if not admission.enter():
            services.queue.run_turn(named)  # for a worker that has a slot and stays (R22)
            return HANDED_ON
        try:
            return do(task, lambda: run_next(services, named))
        finally:
            admission.leave()

    @app.task(name=TAKE_OVER, bind=True, throws=EXPECTED)
    def _take_over(task: Any, run_id: str) -> str:
        if services.draining:
            services.queue.take_over(run_id)  # not to the queue of runs, which may have to wait
            return HANDED_ON
        return do(task, lambda: run_turn(services, run_id))


def register_periodic_tasks(
    app: Celery, services: Services, last_tick: LastTick, jobs: JobLedger, every: Every
) -> None:
    """The tasks that beat sends to the maintenance worker, all of them idempotent. `every`: seconds
    between two runs of each, by its name."""
    reaper = Reaper(services)
    search_index = SearchIndex(services)

    def reap() -> None:
        last_tick.record()
        reaper.tick()

    work_of: Mapping[str, Callable[[], Mapping[str, int] | None]] = {
        REAP: reap,
        CHECK_ORPHANS: lambda: check_orphaned_runs(services),
        DELETE_EPHEMERAL: lambda: delete_due(services),
        SWEEP_EPHEMERAL: lambda: sweep(services),
        ADD_SEARCH_TERMS: search_index.tick,
        CLEAN_UP: lambda: clean_up(services),
    }

    def add(name: str, task: str) -> None:
        # The ticks of every two seconds would be 5,400 rows an hour in Flower.
        @app.task(name=name, send_events=every[task] >= SHOWN_FROM)
        def _periodic() -> None:
            jobs.run(task.rpartition(".")[2], every[task], work_of[task])

    for task in work_of:
        add(task, task)
    add(CHECK_ORPHANS_FORMER, CHECK_ORPHANS)


def register_maintenance_tasks(app: Celery, services: Services) -> None:
    """The tasks of the maintenance worker that others send: short, all of them idempotent."""

    # Somebody waits for it: the reaper would enqueue it again only after ten seconds.
    @app.task(name=ANSWER, autoretry_for=(Unavailable,), max_retries=5, default_retry_delay=1)
    def _answer(run_id: str, approval_id: int) -> None:
        answer_approval(services, run_id, approval_id)

    @app.task(
        name=STOP_RUN,
        autoretry_for=(GatewayError, Unavailable),
        max_retries=5,
        default_retry_delay=1,
    )
    def _stop_run(run_id: str) -> None:
        stop_run(services, run_id)
