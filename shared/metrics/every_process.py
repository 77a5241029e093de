"""What every process measures of itself."""

from typing import Final

from shared.metrics.instruments import SHORT, Registry

REGISTRY: Final = Registry("every process")

PROCESS: Final = REGISTRY.observed_gauge(
    "holdfast_process_info",
    "Always 1; which role and version the process has.",
    "role",
    "version",
)
HUB_LAG: Final = REGISTRY.histogram(
    "holdfast_hub_lag_seconds",
    "How much later than asked for a thread of the process was woken: in green processes, how long"
    " something kept the hub.",
    buckets=SHORT,
)
SERVICES: Final = REGISTRY.observed_gauge(
    "holdfast_service_up", "1 while this loop of the process lives.", "service"
)
CPU: Final = REGISTRY.observed_counter(
    "process_cpu_seconds_total", "CPU time of the process, in seconds."
)
MEMORY: Final = REGISTRY.observed_gauge(
    "process_resident_memory_bytes", "Resident memory of the process, in bytes."
)
OPEN_FILES: Final = REGISTRY.observed_gauge("process_open_fds", "Open files of the process.")
STARTED: Final = REGISTRY.observed_gauge(
    "process_start_time_seconds", "When the process started, in epoch seconds."
)
