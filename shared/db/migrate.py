"""Migrates a database to the current schema; safe when several processes do it at once."""

import random
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from shared.db.pooler import CONNECT, UNPREPARED
from shared.db.sqlite_url import is_sqlite
from shared.db.without_data import HIDE

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x486F6C64  # "Hold": the number of the advisory lock on PostgreSQL
WAL_WITHIN = 30.0  # seconds


def upgrade(database_url: str) -> None:
    """Create or change the tables. One process at a time; the others wait."""
    engine = _engine(database_url)
    try:
        with engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": LOCK})
            else:
                connection.exec_driver_sql("PRAGMA busy_timeout=30000")
                _use_wal(connection)
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _use_wal(connection: Connection) -> None:
    """Try again while it is locked: SQLite's own timeout does not cover changes of the mode."""
    deadline = time.monotonic() + WAL_WITHIN
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))
        else:
            return


def is_current(database_url: str) -> bool:
    """Whether the database has the schema that this version needs."""
    engine = _engine(database_url)
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _engine(database_url: str) -> Engine:
    return create_engine(
        database_url,
        connect_args={} if is_sqlite(database_url) else {**CONNECT, **UNPREPARED},
        **HIDE,
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
