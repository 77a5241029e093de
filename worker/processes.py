"""The Celery processes: queues, pools, and the services that start and stop with them."""

import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from shared import gc_tuning, runtime
from shared.celery_savings import EVENTS_EVERY, PromptEvents, TaskEvents, pin_backend
from shared.conversation import tokens
from shared.errors import SettingsError
from shared.event_log.clients import command_client
from shared.event_log.worker_reports import WorkerReports
from shared.job_ledger import JobLedger
from shared.metrics import system as system_metrics
from shared.metrics import worker as worker_metrics
from shared.metrics.process import metrics_of_process
from shared.service import Service, periodic
from shared.settings import Settings
from shared.task_queue import (
    ADD_SEARCH_TERMS,
    CHECK_ORPHANS,
    CHECK_ORPHANS_FORMER,
    CLEAN_UP,
    DELETE_EPHEMERAL,
    MAINTENANCE,
    REAP,
    RUNS,
    SWEEP_EPHEMERAL,
    TAKEOVER,
    celery_app,
)
from worker import beat_clock
from worker.app import build
from worker.drain import drain
from worker.liveness.beat_health import BeatHealth
from worker.liveness.process_health import ProcessHealth
from worker.liveness.watchdog import DEAF_AFTER_IN_EVENT_LOOP
from worker.maintenance.standby_reaper import LastTick, StandbyReaper
from worker.maintenance.system_metrics import SystemMetrics
from worker.measure import measure_worker
from worker.queue_admission import HELD_MOST, QueueAdmission
from worker.reporter import Reporter
from worker.services import Services
from worker.stop_listener import StopListener
from worker.tasks import (
    register_maintenance_tasks,
    register_periodic_tasks,
    register_run_tasks,
)

CHECK_ORPHANS_EVERY = 2.0  # seconds
DELETE_EVERY = 300.0
SWEEP_EVERY = 24 * 3600.0
ADD_TERMS_EVERY = 2.0
CLEAN_UP_EVERY = 3600.0
SENT_AS = {CHECK_ORPHANS: CHECK_ORPHANS_FORMER}
MAINTENANCE_THREADS = 4
COMMON = ["--without-gossip", "--without-mingle", "--task-events"]


def run_worker(settings: Settings) -> None:
    """Serve the queues of runs until the process is stopped. It must be green (`runtime.patch`)."""
    _allow_root()
    tokens.preload()
    app = celery_app(settings)
    events = TaskEvents(app)
    services = build(settings)
    admission = QueueAdmission(settings.worker_concurrency)
    register_run_tasks(app, services, admission, events)
    pin_backend(app)
    measure_worker(services)
    measured = metrics_of_process(settings, "worker", [worker_metrics.REGISTRY])
    measured.append(periodic("task-events", events.flush, EVENTS_EVERY))
    _with_services(settings, app, services, admission, events, measured)
    app.worker_main(
        [
            "--quiet",
            "worker",
            f"--pool={runtime.pool()}",
            f"--concurrency={settings.worker_concurrency + settings.takeover_slots + HELD_MOST}",
            f"--queues={RUNS},{TAKEOVER}",
            f"--hostname=runs-{_short(services)}@%h",
            f"--loglevel={settings.log_level}",
            *COMMON,
        ]
    )


def run_maintenance(settings: Settings) -> None:
    """Serve the maintenance queue until the process is stopped, in OS threads."""
    _allow_root()
    tokens.preload()  # transcripts that come late are counted here
    app = celery_app(settings)
    app.events_cls = PromptEvents
    services = build(settings)
    jobs = JobLedger(command_client(settings.redis_url))
    last_tick = _last_tick(settings, services)
    register_maintenance_tasks(app, services)
    register_periodic_tasks(app, services, last_tick, jobs, _intervals(settings))
    pin_backend(app)
    SystemMetrics(services, jobs).install()
    registries = [worker_metrics.REGISTRY, system_metrics.REGISTRY]
    for service in metrics_of_process(settings, "maintenance", registries):
        service.start()
    health = ProcessHealth("maintenance", app, services, {}, DEAF_AFTER_IN_EVENT_LOOP)

    def started(sender: Any, **_: Any) -> None:
        health.start(sender)
        app.send_task(DELETE_EPHEMERAL, queue=MAINTENANCE)  # beat's first tick is minutes away

    def shutting_down(**_: Any) -> None:
        services.draining = True

    worker_ready.connect(started, weak=False)
    worker_shutting_down.connect(shutting_down, weak=False)
    worker_shutdown.connect(lambda **_: health.stop(), weak=False)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={MAINTENANCE_THREADS}",
            f"--queues={MAINTENANCE}",
            f"--hostname=maintenance-{_short(services)}@%h",
            f"--loglevel={settings.log_level}",
            *COMMON,
        ]
    )


def run_beat(settings: Settings) -> None:
    """Send the periodic tasks until the process is stopped. Two beats are harmless; a task that no
    worker took before the next one expires."""
    app = celery_app(settings)
    reap_every = settings.reap_every.total_seconds()
    app.conf.beat_schedule = {
        task.rpartition(".")[2]: _entry(SENT_AS.get(task, task), every)
        for task, every in _intervals(settings).items()
    }
    app.conf.task_send_sent_event = False  # Flower would list each tick
    for service in metrics_of_process(settings, "beat", []):
        service.start()
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fault = f"HOLDFAST_HOME: cannot create {settings.home}: {error.strerror}"
        raise SettingsError([fault]) from error
    app.conf.beat_schedule_filename = str(settings.home / "beat-schedule")
    app.conf.beat_max_loop_interval = min(1.0, reap_every)
    health = BeatHealth(settings)
    app.conf.beat_scheduler = beat_clock.scheduler(health.ticked)
    health.start()
    app.Beat(loglevel=settings.log_level, quiet=True).run()


def _intervals(settings: Settings) -> dict[str, float]:
    """Seconds between two runs of each periodic task."""
    return {
        REAP: settings.reap_every.total_seconds(),
        CHECK_ORPHANS: CHECK_ORPHANS_EVERY,
        DELETE_EPHEMERAL: DELETE_EVERY,
        SWEEP_EPHEMERAL: SWEEP_EVERY,
        ADD_SEARCH_TERMS: ADD_TERMS_EVERY,
        CLEAN_UP: CLEAN_UP_EVERY,
    }


def _entry(task: str, every: float) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": every,
        "options": {"queue": MAINTENANCE, "expires": max(every, 1.0)},
    }


def _allow_root() -> None:
    """Silence Celery's warning of root, which is for pickled messages; these are JSON."""
    warnings.filterwarnings("ignore", category=SecurityWarning)


def _short(services: Services) -> str:
    return services.name.rpartition(":")[2]


def _last_tick(settings: Settings, services: Services) -> LastTick:
    redis = command_client(settings.redis_url)
    return LastTick(redis, settings.reap_every.total_seconds(), services.name)


def _with_services(
    settings: Settings,
    app: Celery,
    services: Services,
    admission: QueueAdmission,
    events: TaskEvents,
    measured: list[Service],
) -> None:
    """Start the process's own services when the worker is ready, and stop them with it."""

    def request_stop(run_id: str) -> None:
        turn = services.turns.get(run_id)
        if turn is not None:
            turn.request_stop()

    stop_listener = StopListener(settings.redis_url, settings.installation, request_stop)
    standby = StandbyReaper(services, _last_tick(settings, services))
    loops = {
        "publisher": lambda: services.publisher.healthy,
        "leases": lambda: services.leases.healthy,
        "stop listener": lambda: stop_listener.healthy,
        "standby reaper": lambda: standby.healthy,
    }
    health = ProcessHealth("worker", app, services, loops)
    reporter = Reporter(services, WorkerReports(command_client(settings.redis_url)))

    def started(sender: Any, **_: Any) -> None:
        admission.attach(sender)
        events.attach(sender)
        standby.start()
        services.publisher.start()
        services.leases.start()
        stop_listener.start()
        services.transcripts.start()
        for service in measured:
            service.start()
        health.start(sender)
        reporter.start()
        gc_tuning.settle()

    def shutting_down(**_: Any) -> None:
        admission.close()
        drain(services)
        runtime.spawn_from_signal(events.flush)

    def stopped(**_: Any) -> None:
        health.stop()
        for service in measured:
            service.stop()
        standby.stop()
        stop_listener.stop()
        reporter.stop()
        services.publisher.stop()
        services.leases.stop()
        services.gateways.close()
        services.tracer.stop()
        services.db.close()

    worker_ready.connect(started, weak=False)
    worker_shutting_down.connect(shutting_down, weak=False)
    worker_shutdown.connect(stopped, weak=False)
