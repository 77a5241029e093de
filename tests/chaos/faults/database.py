"""The database is slow, locked, away, or its clock seems to have leapt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.chaos.stage import Stage


def _engine(stage: Stage) -> Engine:
    return create_engine(stage.environment["DATABASE_URL"], poolclass=NullPool)


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
    """No process can write for a second."""

    resource, weight = "database", 2

    def inject(self, stage: Stage) -> None:
        wanted = "LOCK TABLE sessions, runs IN EXCLUSIVE MODE"  # in the order of R11
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
