"""What is measured of the whole installation, once: in maintenance, from the database and the
broker. With several maintenance processes each shows the same values: take `max`, not `sum`."""

from typing import Final

from shared.metrics.instruments import Registry

REGISTRY: Final = Registry("maintenance")

READ: Final = REGISTRY.observed_gauge(
    "holdfast_system_read",
    "1 if this source of the values below answered; 0: they are missing.",
    "source",
)
WAITING: Final = REGISTRY.observed_gauge("holdfast_runs_waiting", "Queued runs.", "profile")
LIVE: Final = REGISTRY.observed_gauge("holdfast_runs_live", "Live runs.", "profile")
OLDEST_WAITING: Final = REGISTRY.observed_gauge(
    "holdfast_oldest_waiting_seconds", "For how long the oldest queued run waits.", "profile"
)
OLDEST_LIVE: Final = REGISTRY.observed_gauge(
    "holdfast_oldest_live_seconds", "For how long the oldest live run has been live.", "profile"
)
WORKERS: Final = REGISTRY.observed_gauge("holdfast_workers_busy", "Workers with a live run.")
LEASE_AGE: Final = REGISTRY.observed_gauge(
    "holdfast_lease_age_seconds",
    "How long ago the lease was renewed that was renewed least recently.",
)
LAPSED: Final = REGISTRY.observed_gauge(
    "holdfast_leases_lapsed", "Live runs whose lease is over, and that nobody took over yet."
)
UNANNOUNCED: Final = REGISTRY.observed_gauge(
    "holdfast_ends_unannounced", "Ended runs of which clients were not told yet."
)
ORPHANS: Final = REGISTRY.observed_gauge(
    "holdfast_orphaned_runs", "Runs at gateways that still have to be stopped or looked for."
)
DELETIONS: Final = REGISTRY.observed_gauge(
    "holdfast_gateway_deletions",
    "Sessions to delete at gateways; status: pending, parked (given up).",
    "status",
)
QUEUE: Final = REGISTRY.observed_gauge(
    "holdfast_queue_messages",
    "Messages in a queue of Celery.",
    "messaging_destination_name",
)
JOB_RAN: Final = REGISTRY.observed_gauge(
    "holdfast_job_last_run_timestamp_seconds",
    "When a periodic job last ended, in epoch seconds.",
    "task",
)
JOB_OK: Final = REGISTRY.observed_gauge(
    "holdfast_job_last_ok",
    "1 if the last run of a periodic job went well, else 0.",
    "task",
)
JOB_SECONDS: Final = REGISTRY.observed_gauge(
    "holdfast_job_last_duration_seconds",
    "How long the last run of a periodic job took.",
    "task",
)
JOB_NEXT: Final = REGISTRY.observed_gauge(
    "holdfast_job_next_run_timestamp_seconds",
    "When a periodic job is due again, in epoch seconds.",
    "task",
)
