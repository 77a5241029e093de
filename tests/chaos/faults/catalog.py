"""All classes of faults."""

from __future__ import annotations

from tests.chaos.faults import clients, database, gateway, processes, redis_server, tasks
from tests.chaos.faults.base import Fault

MODULES = (processes, redis_server, gateway, database, tasks, clients)

CLASSES: list[type[Fault]] = [
    found
    for module in MODULES
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, Fault) and found.__module__ == module.__name__
    if not name.startswith("_")
]
