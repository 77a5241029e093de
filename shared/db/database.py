"""Units of work on SQLite or PostgreSQL: one function, one transaction.

Problem: transactions conflict, connections die while they are idle, and a COMMIT whose answer is
lost may have counted; callers must not have to know any of it.
Idea: a unit of work is a function of a transaction. `Database` calls it, commits, and calls it
again from its beginning when that is safe: after a conflict (the database has rolled back), and
once after a connection that turned out to be dead before the COMMIT. So a unit of work has no
effects besides its transaction. Everything else becomes DatabaseUnavailable.
Invariant: a unit is never repeated after a COMMIT of unknown outcome; the caller gets
DatabaseUnavailable and may look whether it counted. Each unit ends within a bounded time, waiting
included. On SQLite there are two connections, one for reading units and one for all others, and the
units of each come one after the other: reads do not wait for writes.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from shared import runtime
from shared.db.pooler import CONNECT, prepare_nothing_behind_a_pooler
from shared.db.sqlalchemy_counters import count_without_locks
from shared.db.sqlite_url import busy_seconds, is_sqlite
from shared.db.without_data import HIDE, without_data
from shared.errors import DatabaseUnavailable

T = TypeVar("T")
Work = Callable[[Session], T]
log = logging.getLogger(__name__)

TRIES = 8
RECONNECTS = 1  # after a connection died while it was idle; the pool drops the others then
CONFLICTS_FOR = 5.0  # seconds for which a unit of work is repeated after conflicts

count_without_locks()


class Database:
    """Runs units of work. A Session must not be used after the unit that got it.

    In a green process a unit on SQLite runs in an OS thread, one of each connection at a time:
    sqlite3 would block the hub, and its locks do not work between green and OS threads.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self.is_sqlite = is_sqlite(url)
        self._engine = _engine(url, pool_size)
        self._read_engine = _engine(url, pool_size) if self.is_sqlite else self._engine
        self._reader = self._kind(self._read_engine, "REPEATABLE READ")
        self._single = self._kind(self._engine, "AUTOCOMMIT")
        self._one_at_a_time = threading.Lock()
        self._one_read_at_a_time = threading.Lock()

    def write(self, work: Work[T]) -> T:
        """Return the result of `work(tx)`, committed. `work` may be called more than once.

        Raises DatabaseUnavailable when the database does not answer, is full, or stays too busy.
        """
        return self._retrying(self._engine, work)

    def read(self, work: Work[T]) -> T:
        """Return the result of `work(tx)`, which reads, on one consistent snapshot of the data.

        Raises DatabaseUnavailable, as `write` does.
        """
        return self._retrying(self._reader, work)

    def single(self, work: Work[T]) -> T:
        """Return the result of `work(tx)`, which executes one statement that may be repeated.

        PostgreSQL gets it without BEGIN and COMMIT, which saves two round trips. Raises
        DatabaseUnavailable, as `write` does.
        """
        return self._retrying(self._single, work)

    def _kind(self, engine: Engine, level: str) -> Engine:
        """The engine with that isolation level; SQLite has only deferred and immediate begins."""
        if self.is_sqlite:
            return engine.execution_options(holdfast_deferred=True)
        return engine.execution_options(isolation_level=level)

    def close(self) -> None:
        """Close the pooled connections. On SQLite one that a unit of work still uses, in its OS
        thread, stays open and ends with the process: the unit would fail in its midst."""
        if not self.is_sqlite:
            self._engine.dispose()
            return
        for engine, turn in (
            (self._engine, self._one_at_a_time),
            (self._read_engine, self._one_read_at_a_time),
        ):
            if turn.acquire(blocking=False):
                engine.dispose()
                turn.release()

    def _retrying(self, engine: Engine, work: Work[T]) -> T:
        deadline = time.monotonic() + CONFLICTS_FOR
        reconnects = RECONNECTS
        for tries_left in reversed(range(TRIES)):
            try:
                return self._once(engine, work, deadline)
            except DBAPIError as error:
                if error.connection_invalidated and reconnects:
                    reconnects -= 1
                    continue
                if not _conflict(error):
                    raise _translated(error) from without_data(error)
                if not tries_left or time.monotonic() > deadline:
                    raise _too_busy() from error
            time.sleep(random.uniform(0.005, 0.05))
        raise AssertionError("unreachable")

    def _once(self, engine: Engine, work: Work[T], deadline: float) -> T:
        if not self.is_sqlite:
            return _transaction(engine, work)
        turn = self._one_read_at_a_time if engine is self._reader else self._one_at_a_time
        # Bounded as well: when the database is locked, units of work queue up here.
        if not turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise _too_busy()
        try:
            result: T = runtime.offload(_transaction, engine, work)
        finally:
            turn.release()
        return result


def _transaction(engine: Engine, work: Work[T]) -> T:
    with Session(engine, expire_on_commit=False) as tx:
        result = work(tx)
        try:
            tx.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseUnavailable from error  # it may have been committed: do not repeat
            raise
        return result


def _too_busy() -> DatabaseUnavailable:
    return DatabaseUnavailable("The database is too busy; try again shortly.")


def _conflict(error: DBAPIError) -> bool:
    """Whether another transaction was in the way: SQLite's lock, PostgreSQL's 40001 and 40P01."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"} or (
        isinstance(error, OperationalError) and "database is locked" in str(error.orig)
    )


def _translated(error: DBAPIError) -> Exception:
    if _full(error):
        return DatabaseUnavailable("The database's disk is full; free some space, then try again.")
    lost = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return DatabaseUnavailable() if lost else error


def _full(error: DBAPIError) -> bool:
    """Whether no space is left: SQLITE_FULL, or PostgreSQL's 53100."""
    return (
        getattr(error.orig, "sqlstate", None) == "53100"
        or getattr(error.orig, "sqlite_errorname", None) == "SQLITE_FULL"
    )


def _engine(url: str, pool_size: int) -> Engine:
    common: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads} | HIDE
    if not is_sqlite(url):
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            pool_recycle=1800,
            connect_args=CONNECT,
            **common,
        )
        event.listen(engine, "connect", prepare_nothing_behind_a_pooler)
        return engine
    # A permanent connection: units of work come one at a time, and opening costs as much as one.
    engine = create_engine(
        url,
        poolclass=StaticPool,
        connect_args={"timeout": busy_seconds(url), "check_same_thread": False},
        **common,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


def _prepare_sqlite(connection: Any, record: object) -> None:
    # Else the driver sends BEGIN late, and updates between two writers are lost.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    # A unit of one statement takes the writer's lock with it. In one of several statements, another
    # writer could come between the first read and the first write.
    deferred = connection.get_execution_options().get("holdfast_deferred", False)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
