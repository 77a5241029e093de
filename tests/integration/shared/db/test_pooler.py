"""PostgreSQL behind a pooler in transaction mode: statements, locks, isolation, leases (C6)."""

import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.locks import lock_session
from shared.db.migrate import is_current, upgrade
from shared.db.runs.lease import connect
from shared.errors import DatabaseUnavailable
from tests.support.rows import OWNER, add_run, add_session
from tests.support.servers.pgbouncer import PgBouncer, find_pgbouncer
from tests.support.servers.postgres import PostgresServer

PREPARED = "SELECT count(*) FROM pg_prepared_statements"
OFTEN = 12  # psycopg prepares a statement when it is executed for the sixth time


@pytest.fixture
def direct(postgres: PostgresServer) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def pooled(direct: str) -> Iterator[str]:
    program = find_pgbouncer()
    if program is None:
        pytest.skip("no pgbouncer")
    pooler = PgBouncer(program, direct)
    yield pooler.url
    pooler.stop()


def all_units(db: Database, session_id: str) -> None:
    """Each kind of unit of work, as often as it takes to prepare a statement."""
    for _ in range(OFTEN):
        db.write(lambda tx: lock_session(tx, OWNER, session_id))
        db.read(lambda tx: lock_session(tx, OWNER, session_id))
        db.single(lambda tx: lock_session(tx, OWNER, session_id))


def in_threads(db: Database, count: int) -> list[Exception]:
    faults: list[Exception] = []

    def work(number: int) -> None:
        try:
            add_session(db, f"s{number}")
            all_units(db, f"s{number}")
        except (DBAPIError, DatabaseUnavailable) as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return faults


def test_units_of_work_of_many_threads_succeed(pooled: str) -> None:
    upgrade(pooled)
    assert is_current(pooled)
    db = Database(pooled)
    try:
        assert in_threads(db, 8) == []
        assert db.write(lambda tx: tx.scalar(text(PREPARED))) == 0
    finally:
        db.close()


def test_two_processes_migrate_and_use_the_same_server_connections(pooled: str) -> None:
    for _ in range(3):
        upgrade(pooled)
    first, second = Database(pooled), Database(pooled)
    try:
        add_session(first, "s")
        all_units(first, "s")
        all_units(second, "s")
        all_units(first, "s")
    finally:
        first.close()
        second.close()


def test_leases_are_renewed(pooled: str) -> None:
    upgrade(pooled)
    db = Database(pooled)
    connections = [connect(pooled) for _ in range(3)]
    try:
        add_session(db, "s")
        run_id = add_run(db, "s", state="running", fence=1)
        for _ in range(OFTEN):
            for connection in connections:
                assert [one.run_id for one in connection.renew([(run_id, 1, 0)], 15)] == [run_id]
    finally:
        for connection in connections:
            connection.close()
        db.close()


def test_isolation_does_not_stay_with_a_server_connection(pooled: str) -> None:
    db = Database(pooled)

    def level(tx: Session) -> str:
        return str(tx.scalar(text("SHOW transaction_isolation")))

    try:
        for _ in range(OFTEN):
            assert db.read(level) == "repeatable read"
            assert db.write(level) == "read committed"
            assert db.single(level) == "read committed"
    finally:
        db.close()


def test_no_session_keeps_a_lock(pooled: str, direct: str) -> None:
    for _ in range(3):
        upgrade(pooled)
    with psycopg.connect(direct.replace("+psycopg", "")) as connection:
        locks = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert locks.fetchone() == (0,)


def test_without_a_pooler_statements_are_prepared(direct: str) -> None:
    upgrade(direct)
    db = Database(direct, pool_size=1)
    try:
        all_units(db, "s")
        assert db.write(lambda tx: tx.scalar(text(PREPARED)) or 0) > 0
    finally:
        db.close()
