"""Connections of units of work that die: what is done again, and what must not be (R33, W8)."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db import database
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import ApprovalRow
from shared.errors import DatabaseUnavailable
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.processes import wait_until

UNITS = ["read", "write", "single"]
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    upgrade(url)
    found = Database(url)
    yield found
    found.close()


def end_connections(url: str) -> None:
    """End every other connection to the database, and see it gone."""
    dsn = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
        wait_until(lambda: connection.execute(f"SELECT count(*) {OTHERS}").fetchone() == (0,))


def rest(db: Database, connections: int = 3) -> None:
    """Leave so many connections in the pool."""

    def hold(tx: Session) -> None:
        count(tx)
        rest(db, connections - 1)

    if connections:
        db.read(hold)


def count(tx: Session) -> int:
    return tx.scalar(select(func.count()).select_from(ApprovalRow)) or 0


def add(tx: Session) -> None:
    answer = {"run_id": uuid.uuid4().hex, "approval_id": 1, "choice": "once", "answered_at": 1.0}
    tx.connection().execute(insert(ApprovalRow), answer)


@pytest.mark.parametrize("unit", UNITS)
def test_a_connection_that_died_while_it_rested_is_not_noticed(
    db: Database, url: str, unit: str
) -> None:
    rest(db)
    end_connections(url)
    assert getattr(db, unit)(count) == 0


@pytest.mark.parametrize("unit", UNITS)
def test_without_another_try_a_dead_connection_looks_like_a_database_that_is_away(
    db: Database, url: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RECONNECTS", 0)
    rest(db)
    end_connections(url)
    with pytest.raises(DatabaseUnavailable):
        getattr(db, unit)(count)


def lost_before(tx: Session, url: str) -> None:
    event.listen(tx, "before_commit", lambda _: end_connections(url))


def lost_after(tx: Session, url: str) -> None:
    def answer_is_lost(_: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception(), connection_invalidated=True)

    event.listen(tx, "after_commit", answer_is_lost)


@pytest.mark.parametrize(("lose", "written"), [(lost_before, 0), (lost_after, 1)])
def test_a_commit_that_may_have_counted_is_not_repeated(
    db: Database, url: str, lose: Callable[[Session, str], None], written: int
) -> None:
    tries: list[Any] = []

    def work(tx: Session) -> None:
        tries.append(tx)
        add(tx)
        if len(tries) == 1:
            lose(tx, url)

    with pytest.raises(DatabaseUnavailable):
        db.write(work)
    assert len(tries) == 1
    assert db.read(count) == written
