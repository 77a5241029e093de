"""PostgreSQL at addresses as people write them, whatever the environment says (C19, C20)."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.orm import Session

from shared.addresses import database_url
from shared.db.database import Database
from shared.db.migrate import is_current, upgrade
from shared.db.models import SessionRow
from shared.db.runs.lease import connect
from tests.support.rows import OWNER, add_session
from tests.support.servers.postgres import PostgresServer

TITLE = "漢字 😀 é"


@pytest.fixture
def made(postgres: PostgresServer) -> Iterator[URL]:
    name = f"test_{uuid.uuid4().hex}"
    yield make_url(postgres.create_database(name))
    postgres.drop_database(name)


def written(url: URL, hosts: str) -> str:
    account = f"{url.username or ''}{f':{url.password}' if url.password else ''}"
    return f"postgres://{account}{'@' if account else ''}{hosts}/{url.database}"


def use(url: str) -> None:
    """Migrate, write, read, and renew leases."""
    upgrade(url)
    assert is_current(url)
    db = Database(url)
    try:
        add_session(db, "s")

        def title(tx: Session) -> None:
            tx.get_one(SessionRow, (OWNER, "s")).title = TITLE

        db.write(title)
        assert db.read(lambda tx: tx.get_one(SessionRow, (OWNER, "s")).title) == TITLE
    finally:
        db.close()
    leases = connect(url)
    assert leases.renew([("nobody", 1, 1)], 5.0) == []
    leases.close()


def test_the_first_of_several_hosts_does_not_answer(made: URL) -> None:
    port = made.port or 5432
    use(database_url(written(made, f"127.0.0.1:1,{made.host or '127.0.0.1'}:{port}")))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1252"])
def test_another_encoding_of_the_client_in_the_environment_or_at_the_server(
    encoding: str, made: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_url(made.render_as_string(hide_password=False))
    db = Database(url)
    db.single(
        lambda tx: tx.connection().exec_driver_sql(
            f"ALTER DATABASE {made.database} SET client_encoding = '{encoding}'"
        )
    )
    db.close()
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    use(url)
