"""A database of each kind for the tests of the modules that ask it."""

from collections.abc import Iterator

import pytest

from shared.db.database import Database
from tests.support.migrated import migrated


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A database with an empty, current schema."""
    migrated(database_url)
    database = Database(database_url)
    yield database
    database.close()
