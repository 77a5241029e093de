"""Connections to PostgreSQL that lead through a pooler, such as PgBouncer in transaction mode.

Problem: psycopg prepares a statement on the server when it is executed often, which saves a third
of the time. A pooler that gives each transaction another server connection does not have it there.
Idea: a pooler answers with a process id of its own when a client connects, since it does not know
yet which server process will do the work. A connection whose process id is not that of the process
that executes its statements leads through a pooler.
Invariant: such a connection prepares nothing; nor does anything here depend on the state of a
connection beyond a transaction: locks are of transactions (`pg_advisory_xact_lock`), and isolation
levels are in BEGIN.
"""

from typing import Any, Final

#: Options of every connection of psycopg. Servers and variables may name another encoding.
CONNECT: Final[dict[str, Any]] = {"connect_timeout": 5, "client_encoding": "utf8"}
#: Options of psycopg for a connection that prepares nothing.
UNPREPARED: Final[dict[str, Any]] = {"prepare_threshold": None}


def prepare_nothing_behind_a_pooler(connection: Any, record: object = None) -> None:
    """Examine a new connection of psycopg, on which no transaction has begun. Raises its errors.

    A listener of SQLAlchemy for the event `connect`, too.
    """
    autocommit, connection.autocommit = connection.autocommit, True
    (executes,) = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    connection.autocommit = autocommit
    if executes != connection.info.backend_pid:
        connection.prepare_threshold = None
