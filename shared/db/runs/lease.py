"""Renewing leases: one statement for all of a worker, on a connection of its own (R12).

It uses the drivers directly: the renewing thread is an OS thread, and the pool and the locks of
SQLAlchemy belong to the green threads. Its clock and its set of live states are those of the other
modules, as SQL text.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import make_url

from shared.db.models import LIVE_STATES
from shared.db.pooler import CONNECT, prepare_nothing_behind_a_pooler
from shared.db.sqlite_url import busy_seconds, is_sqlite


@dataclass(frozen=True)
class Renewed:
    """A lease that was renewed, and whether a stop of the run was requested."""

    run_id: str
    stop_requested: bool


class LeaseConnection(Protocol):
    """A connection that renews leases, for one OS thread."""

    def renew(self, leases: Sequence[tuple[str, int, int]], seconds: float) -> list[Renewed]:
        """Renew each lease (run id, fence, last seq) that still has this fence, for `seconds`.

        Returns those that were renewed. Raises the errors of the driver.
        """

    def close(self) -> None:
        """Close the connection."""


def connect(database_url: str) -> LeaseConnection:
    """Open a connection for the calling OS thread."""
    if is_sqlite(database_url):
        return _Sqlite(database_url)
    return _Postgresql(database_url)


# The fence alone decides (R13): a lapsed lease may be renewed as long as no other worker has taken
# the run.
_STATEMENT = """
UPDATE runs SET lease_until = {now} + {mark}, last_seq = v.column3
FROM (VALUES {values}) AS v
WHERE runs.id = v.column1 AND runs.fence = v.column2 AND runs.state IN ({live})
RETURNING runs.id, runs.stop_requested_at
"""


def _statement(now: str, mark: str, row: str, count: int) -> str:
    return _STATEMENT.format(now=now, mark=mark, values=", ".join([row] * count), live=LIVE_STATES)


def _arguments(leases: Sequence[tuple[str, int, int]], seconds: float) -> list[Any]:
    return [seconds, *(value for lease in leases for value in lease)]


def _renewed(rows: Sequence[Sequence[Any]]) -> list[Renewed]:
    return [Renewed(run_id, asked is not None) for run_id, asked in rows]


class _Sqlite:
    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(
            make_url(url).database or "", timeout=busy_seconds(url), isolation_level=None
        )

    def renew(self, leases: Sequence[tuple[str, int, int]], seconds: float) -> list[Renewed]:
        now = "((julianday('now') - 2440587.5) * 86400.0)"
        text = _statement(now, "?", "(?, ?, ?)", len(leases))
        return _renewed(self._connection.execute(text, _arguments(leases, seconds)).fetchall())

    def close(self) -> None:
        self._connection.close()


class _Postgresql:
    def __init__(self, url: str) -> None:
        import psycopg
        from psycopg import waiting

        class Native(psycopg.Connection[tuple[Any, ...]]):
            """Waits in C, outside the hub: this thread has none."""

            def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
                return waiting.wait_c(gen, self.pgconn.socket, interval, timeout)

        made = make_url(url)
        _, options = made.get_dialect()().create_connect_args(made)
        self._connection = Native.connect(**{**options, **CONNECT}, autocommit=True)
        prepare_nothing_behind_a_pooler(self._connection)

    def renew(self, leases: Sequence[tuple[str, int, int]], seconds: float) -> list[Renewed]:
        now = "EXTRACT(EPOCH FROM clock_timestamp())::double precision"
        row = "(%s::text, %s::integer, %s::integer)"
        text = _statement(now, "%s::double precision", row, len(leases))
        return _renewed(self._connection.execute(text, _arguments(leases, seconds)).fetchall())

    def close(self) -> None:
        self._connection.close()
