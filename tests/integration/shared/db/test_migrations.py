"""The migrations make the schema that the models describe, on both kinds of database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from shared.db import migrate
from shared.db.database import Database
from shared.db.models import Base
from tests.support.rows import add_run, add_session


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """To a database that was migrated."""
    migrate.upgrade(database_url)
    engine = create_engine(database_url)
    with engine.connect() as found:
        yield found
    engine.dispose()


# SQLite does not report what an index over an expression is made of; SQLAlchemy warns of it.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_the_migrated_schema_is_that_of_the_models(connection: Connection) -> None:
    options = {"compare_type": True, "include_name": not_of_search}
    context = MigrationContext.configure(connection, opts=options)
    assert compare_metadata(context, Base.metadata) == []


def not_of_search(name: str | None, kind: str, parents: object) -> bool:
    """What searches the terms is of one database only, and no model describes it."""
    return not (name or "").endswith("_gin") and "_fts" not in (name or "")


def test_a_fresh_database_is_not_current_and_a_migrated_one_is(database_url: str) -> None:
    assert not migrate.is_current(database_url)
    migrate.upgrade(database_url)
    assert migrate.is_current(database_url)


def test_migrating_again_and_at_the_same_time_does_no_harm(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate.upgrade, [database_url] * 4))
    assert migrate.is_current(database_url)


def test_a_migration_can_be_undone_and_done_again_with_requests_that_the_old_one_took_for_one(
    database_url: str,
) -> None:
    migrate.upgrade(database_url)
    db = Database(database_url)
    add_session(db, "-")
    for session_id in ("-", None):
        add_run(db, session_id, client_request_id="c")
    db.close()
    migrate_to(database_url, command.downgrade, "0004")
    assert not migrate.is_current(database_url)
    migrate.upgrade(database_url)
    assert migrate.is_current(database_url)


def migrate_to(database_url: str, way: Callable[[Config, str], None], revision: str) -> None:
    """Migrate to another revision, in the direction `way`."""
    engine = create_engine(database_url)
    with engine.connect() as connection, connection.begin():
        config = migrate._config()
        config.attributes["connection"] = connection
        way(config, revision)
    engine.dispose()
