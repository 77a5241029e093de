"""The database is slow, locked, full, away, or its clock seems to have leapt."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.chaos.stage import Stage


def _engine(stage: Stage) -> Engine:
    url = make_url(stage.environment["DATABASE_URL"])
    if stage.postgres is None:
        url = url.update_query_dict({"timeout": "10"})  # longer than Holdfast itself waits
    return create_engine(url, poolclass=NullPool)


TABLES = ("sessions", "runs", "run_attempts", "messages")
NO_SPACE = """
CREATE FUNCTION chaos_no_space() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$
"""


class LeaseLapsed(Fault):
    """All leases end at once: owners live, and others take over under them."""

    resource, weight = "database", 2

    def inject(self, stage: Stage) -> None:
        with _engine(stage).begin() as connection:
            done = connection.execute(
                text("UPDATE runs SET lease_until = lease_until - 3600 WHERE state = 'running'")
            )
            self.detail = f"{done.rowcount} runs"


class DatabaseLocked(Fault):
    """No process can write to a run for a second."""

    resource, weight = "database", 2

    def inject(self, stage: Stage) -> None:
        # One table, which every write of a run needs. With that of sessions as well this would wait
        # for a claim that waits for it: a claim locks a run before its session.
        wanted = "LOCK TABLE runs IN EXCLUSIVE MODE"
        with _engine(stage).connect() as connection:
            if connection.dialect.name == "sqlite":
                wanted = "BEGIN EXCLUSIVE"
            connection.execute(text(wanted))
            time.sleep(0.5 + self.number / 1000)
            connection.rollback()


class BackendsTerminated(Fault):
    """pg_terminate_backend for every connection."""

    resource, weight, database = "database", 2, "postgres"

    def inject(self, stage: Stage) -> None:
        with _engine(stage).connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )


class DatabaseRestarted(Fault):
    """Immediate shutdown, and back after a while."""

    resource, weight, database = "database", 1, "postgres"
    holds = (0.2, 2.0)

    def inject(self, stage: Stage) -> None:
        assert stage.postgres is not None
        stage.postgres.kill()

    def heal(self, stage: Stage) -> None:
        assert stage.postgres is not None
        stage.postgres.restart()


class PoolerRestarted(Fault):
    """The pooler between Holdfast and PostgreSQL is killed, and back after a while."""

    resource, weight, database = "database", 2, "postgres"
    holds = (0.0, 2.0)

    def inject(self, stage: Stage) -> None:
        assert stage.pooler is not None
        stage.pooler.kill()

    def heal(self, stage: Stage) -> None:
        assert stage.pooler is not None
        stage.pooler.restart()


class DiskFull(Fault):
    """Nothing more can be written: every table refuses (PostgreSQL), or every file of the
    processes (SQLite; their logs as well)."""

    resource, weight = "database", 3
    holds = (0.3, 2.5)

    def inject(self, stage: Stage) -> None:
        if stage.postgres is None:
            self.pids = [process.pid for process in stage.ready()]
            self._limit(1)
            return
        with _engine(stage).begin() as connection:
            connection.execute(text(NO_SPACE))
        for table in TABLES:  # each by itself: two locks at once could wait for each other
            with _engine(stage).begin() as connection:
                connection.execute(
                    text(
                        f"CREATE TRIGGER chaos_no_space BEFORE INSERT OR UPDATE ON {table}"
                        " EXECUTE FUNCTION chaos_no_space()"
                    )
                )

    def heal(self, stage: Stage) -> None:
        if stage.postgres is None:
            self._limit(resource.RLIM_INFINITY)
            return
        for table in TABLES:
            with _engine(stage).begin() as connection:
                connection.execute(text(f"DROP TRIGGER IF EXISTS chaos_no_space ON {table}"))
        with _engine(stage).begin() as connection:
            connection.execute(text("DROP FUNCTION IF EXISTS chaos_no_space"))

    def _limit(self, most: int) -> None:
        """The size of each process's files, in bytes."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
