"""The Celery processes: queues, pools, and the services that start and stop with them."""

import warnings
from typing import Any

from celery.platforms import SecurityWarning
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from shared import gc_tuning, runtime
from shared.celery_savings import EVENTS_EVERY, TaskEvents, pin_backend
from shared.conversation import tokens
from shared.errors import SettingsError
from shared.event_log.clients import command_client
from shared.service import periodic
from shared.settings import Settings
from shared.task_queue import (
    ADD_SEARCH_TERMS,
    CHECK_ORPHANS_FORMER,
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
from worker.maintenance.standby_reaper import LastTick, StandbyReaper
from worker.queue_admission import QueueAdmission
from worker.services import Services
from worker.stop_listener import StopListener
from worker.tasks import register_maintenance_tasks, register_run_tasks

CHECK_ORPHANS_EVERY = 2.0  # seconds
DELETE_EVERY = 300.0
SWEEP_EVERY = 24 * 3600.0
ADD_TERMS_EVERY = 2.0
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
    register_run_tasks(app, services, admission)
    pin_backend(app)
    _with_services(settings, services, admission, events)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=eventlet",
            f"--concurrency={settings.worker_concurrency + settings.takeover_slots}",
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
    services = build(settings)
    register_maintenance_tasks(app, services, _last_tick(settings, services))
    pin_backend(app)

    def started(**_: Any) -> None:
        app.send_task(DELETE_EPHEMERAL, queue=MAINTENANCE)  # beat's first tick is minutes away

    worker_ready.connect(started, weak=False)
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
        "reap": _entry(REAP, reap_every),
        "check_orphaned_runs": _entry(CHECK_ORPHANS_FORMER, CHECK_ORPHANS_EVERY),
        "delete_ephemeral": _entry(DELETE_EPHEMERAL, DELETE_EVERY),
        "sweep_ephemeral": _entry(SWEEP_EPHEMERAL, SWEEP_EVERY),
        "add_search_terms": _entry(ADD_SEARCH_TERMS, ADD_TERMS_EVERY),
    }
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fault = f"HOLDFAST_HOME: cannot create {settings.home}: {error.strerror}"
        raise SettingsError([fault]) from error
    app.conf.beat_schedule_filename = str(settings.home / "beat-schedule")
    app.conf.beat_max_loop_interval = min(1.0, reap_every)
    app.conf.beat_scheduler = f"{beat_clock.__name__}:SteadyScheduler"
    app.Beat(loglevel=settings.log_level, quiet=True).run()


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
    settings: Settings, services: Services, admission: QueueAdmission, events: TaskEvents
) -> None:
    """Start the process's own services when the worker is ready, and stop them with it."""

    def request_stop(run_id: str) -> None:
        turn = services.turns.get(run_id)
        if turn is not None:
            turn.request_stop()

    stop_listener = StopListener(settings.redis_url, settings.installation, request_stop)
    standby = StandbyReaper(services, _last_tick(settings, services))
    task_events = periodic("task-events", events.flush, EVENTS_EVERY)

    def started(sender: Any, **_: Any) -> None:
        admission.attach(sender)
        events.attach(sender)
        task_events.start()
        standby.start()
        services.publisher.start()
        services.leases.start()
        stop_listener.start()
        services.transcripts.start()
        gc_tuning.settle()

    def shutting_down(**_: Any) -> None:
        admission.close()
        drain(services)
        runtime.spawn_from_signal(events.flush)

    def stopped(**_: Any) -> None:
        standby.stop()
        task_events.stop()
        stop_listener.stop()
        services.publisher.stop()
        services.leases.stop()
        services.gateways.close()
        services.db.close()

    worker_ready.connect(started, weak=False)
    worker_shutting_down.connect(shutting_down, weak=False)
    worker_shutdown.connect(stopped, weak=False)
