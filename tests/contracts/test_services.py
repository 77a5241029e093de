"""The throw-away servers that the other contracts stand on."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.servers.postgres import PostgresServer, find_binaries, packaged_binaries


def test_each_database_is_fresh_and_empty(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    try:
        assert sa.inspect(engine).get_table_names() == []
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE once (id INTEGER)"))
    finally:
        engine.dispose()


@pytest.mark.parametrize("find", [find_binaries, packaged_binaries])
def test_a_postgresql_of_our_own_keeps_its_data_over_a_restart(
    find: Callable[[], Path | None],
) -> None:
    binaries = find()
    assert binaries is not None
    server = PostgresServer(binaries)
    try:
        url = server.create_database("kept")
        server.restart()
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT current_database()")) == "kept"
        engine.dispose()
    finally:
        server.stop()
