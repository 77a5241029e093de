"""The databases that are measured: SQLite, and PostgreSQL where there is a server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.servers.postgres import PostgresServer, find_binaries

Fresh = Callable[[], str]  # the URL of an empty database; empty: an SQLite file of the stack's own

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@contextmanager
def databases(wanted: tuple[str, ...] = (SQLITE, POSTGRESQL)) -> Iterator[dict[str, Fresh]]:
    """By name, how to get an empty one."""
    found: dict[str, Fresh] = {SQLITE: str} if SQLITE in wanted else {}
    binaries = find_binaries() if POSTGRESQL in wanted else None
    if binaries is None:
        yield found
        return
    server = PostgresServer(binaries)
    numbers = itertools.count(1)
    try:
        yield {**found, POSTGRESQL: lambda: server.create_database(f"bench{next(numbers)}")}
    finally:
        server.stop()
