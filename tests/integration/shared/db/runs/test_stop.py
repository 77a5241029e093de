"""Requests of strangers who know a run's id: they change nothing and wait for nobody (A15)."""

import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.locks import lock_run, lock_session
from shared.db.migrate import upgrade
from shared.db.runs.stop import ask_stop, cancel
from shared.errors import NotFound
from tests.support.rows import OWNER, add_run, add_session, run_row
from tests.support.servers.postgres import PostgresServer

STRANGER = "stranger"


@pytest.fixture
def db(postgres: PostgresServer) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres.create_database(name)
    upgrade(url)
    found = Database(url)
    yield found
    found.close()
    postgres.drop_database(name)


@pytest.fixture
def locked_run(db: Database) -> Iterator[str]:
    """A run that its owner's transaction has locked, with its session."""
    add_session(db, "s")
    run_id = add_run(db, "s", state="running", fence=1)
    locked, done = threading.Event(), threading.Event()

    def hold(tx: Session) -> None:
        lock_session(tx, OWNER, "s")
        lock_run(tx, run_id)
        locked.set()
        done.wait(30)

    thread = threading.Thread(target=db.write, args=(hold,))
    thread.start()
    assert locked.wait(10)
    yield run_id
    done.set()
    thread.join(10)


def refused(tx: Session, run_id: str, session_id: str | None) -> bool:
    with pytest.raises(NotFound):
        cancel(tx, STRANGER, session_id, run_id)
    return True


def unheard(tx: Session, run_id: str, session_id: str | None) -> bool:
    return ask_stop(tx, STRANGER, session_id, run_id) is None


@pytest.mark.parametrize("request_of", [refused, unheard])
@pytest.mark.parametrize("session_id", [None, "s", "other"])
def test_a_stranger_does_not_wait_for_the_owner_s_locks(
    db: Database,
    locked_run: str,
    request_of: Callable[[Session, str, str | None], bool],
    session_id: str | None,
) -> None:
    found: list[bool] = []
    asked = threading.Thread(
        target=lambda: found.append(db.write(lambda tx: request_of(tx, locked_run, session_id))),
        daemon=True,
    )
    asked.start()
    asked.join(5)
    assert found == [True]
    assert run_row(db, locked_run).stop_requested_at is None


def test_the_owner_stops_it_but_not_under_the_name_of_another_session(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s", state="running", fence=1)
    assert db.write(lambda tx: ask_stop(tx, OWNER, "other", run_id)) is None
    assert run_row(db, run_id).stop_requested_at is None
    assert db.write(lambda tx: ask_stop(tx, OWNER, "s", run_id)) is not None
    assert db.write(lambda tx: ask_stop(tx, OWNER, None, run_id)) is not None
    assert run_row(db, run_id).stop_requested_at is not None
