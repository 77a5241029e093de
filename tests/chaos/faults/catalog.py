"""All classes of faults."""

from __future__ import annotations

from tests.chaos.faults import (
    clients,
    clocks,
    database,
    gateway,
    load,
    processes,
    redis_server,
    tasks,
)
from tests.chaos.faults.base import Fault

MODULES = (processes, redis_server, gateway, database, tasks, clients, clocks, load)

CLASSES: list[type[Fault]] = [
    found
    for module in MODULES
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, Fault) and found.__module__ == module.__name__
    if not name.startswith("_")
]
