"""Registers the Celery tasks. A task is a hint that something may need doing: the rows decide."""

from celery import Celery

from shared.errors import GatewayError, Unavailable
from shared.task_queue import (
    ADD_SEARCH_TERMS,
    ANSWER,
    CHECK_ORPHANS,
    CHECK_ORPHANS_FORMER,
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
from worker.maintenance.reaper import Reaper
from worker.maintenance.search_index import SearchIndex
from worker.maintenance.standby_reaper import LastTick
from worker.maintenance.stop_run import stop_run
from worker.queue_admission import QueueAdmission
from worker.run.run_turn import run_turn
from worker.services import Services


def register_run_tasks(app: Celery, services: Services, admission: QueueAdmission) -> None:
    """The tasks of the green worker: runs."""

    @app.task(name=RUN_TURN)
    def _run_turn(run_id: str) -> None:
        if not admission.enter():
            services.queue.run_turn(run_id)  # for a worker that has a slot and stays (R22)
            return
        try:
            run_turn(services, run_id)
        finally:
            admission.leave()

    @app.task(name=TAKE_OVER)
    def _take_over(run_id: str) -> None:
        if services.draining:
            services.queue.take_over(run_id)  # not to the queue of runs, which may have to wait
            return
        run_turn(services, run_id)


def register_maintenance_tasks(app: Celery, services: Services, last_tick: LastTick) -> None:
    """The tasks of the maintenance worker: short jobs, all of them idempotent."""
    reaper = Reaper(services)
    search_index = SearchIndex(services)

    @app.task(name=REAP)
    def _reap() -> None:
        last_tick.record()
        reaper.tick()

    def _check_orphans() -> None:
        check_orphaned_runs(services)

    for name in (CHECK_ORPHANS, CHECK_ORPHANS_FORMER):
        app.task(name=name)(_check_orphans)

    @app.task(name=DELETE_EPHEMERAL)
    def _delete_ephemeral() -> None:
        delete_due(services)

    @app.task(name=SWEEP_EPHEMERAL)
    def _sweep_ephemeral() -> None:
        sweep(services)

    @app.task(name=ADD_SEARCH_TERMS)
    def _add_search_terms() -> None:
        search_index.tick()

    @app.task(name=ANSWER)
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
