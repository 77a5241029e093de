"""Starts the metrics of a process: what it says of itself, its lag, and its port."""

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from shared.metrics import every_process
from shared.metrics.instruments import Registry
from shared.metrics.server import MetricsServer, open_server
from shared.service import Service
from shared.settings import Settings

LAG_EVERY: Final = 0.25  # seconds
PAGE: Final = resource.getpagesize()


def metrics_of_process(
    settings: Settings, role: str, registries: Sequence[Registry], services: Sequence[Service] = ()
) -> list[Service]:
    """Return the services that measure the process and answer Prometheus, not started; none where
    METRICS_PORT is not set. `services`: the loops whose life is shown. Raises SettingsError."""
    server: MetricsServer | None = open_server(settings, [every_process.REGISTRY, *registries])
    if server is None:
        return []
    every_process.PROCESS.read_from(lambda: {(role, _version()): 1.0})
    every_process.SERVICES.read_from(lambda: _lives(services))
    every_process.CPU.value_from(time.process_time)
    began = time.time()
    every_process.STARTED.value_from(lambda: began)
    if sys.platform == "linux":
        every_process.MEMORY.value_from(_resident)
        every_process.OPEN_FILES.value_from(lambda: len([*Path("/proc/self/fd").iterdir()]))
    return [_lag(), server.service]


def _lives(services: Sequence[Service]) -> Mapping[tuple[str, ...], float]:
    return {(service.name,): float(service.healthy) for service in services}


def _lag() -> Service:
    def measure() -> None:
        while not service.stopping:
            before = time.monotonic()
            service.wait(LAG_EVERY)
            if not service.stopping:
                every_process.HUB_LAG.observe(max(0.0, time.monotonic() - before - LAG_EVERY))

    service = Service("hub-lag", measure)
    return service


def _resident() -> float:
    return float(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _version() -> str:
    try:
        return metadata.version("holdfast")
    except metadata.PackageNotFoundError:
        return "unknown"
