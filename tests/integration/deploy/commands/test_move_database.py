"""`holdfast move-database`: everything arrives, once, also after an interruption."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, select, text

from deploy.cli import main
from shared.db import move as moving
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import Base, MessageRow, RunRow, SessionRow
from shared.db.move import MARK, TABLES, NotEmpty, move
from shared.probes.pulse import Pulse
from tests.support.rows import add_run, add_session
from tests.support.servers.postgres import PostgresServer

# MOVED_SESSIONS=10000 for the long version.
SESSIONS = int(os.environ.get("MOVED_SESSIONS", "60"))
MESSAGES = 4  # of a session


@dataclass
class Two:
    """A filled SQLite database, and an empty PostgreSQL one."""

    source: str
    target: str


@pytest.fixture
def two(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    source = f"sqlite:///{tmp_path / 'holdfast.db'}"
    target = postgres.create_database("moved")
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", source)
    upgrade(source)
    upgrade(target)
    fill(source)
    yield Two(source, target)
    postgres.drop_database("moved")


def fill(url: str) -> None:
    sessions = [
        {"owner": "ünï", "id": f"s{n}", "profile": "default", "started_at": 1.0, "last_active": n}
        for n in range(SESSIONS)
    ]
    messages = [
        {"owner": "ünï", "session_id": f"s{n}", "turn_no": 1, "idx": i, "role": "user"}
        | {"content": f"message {i} of {n}", "indexed_by": 1, "timestamp": 1.0}
        for n in range(SESSIONS)
        for i in range(MESSAGES)
    ]
    engine = create_engine(url)
    with engine.begin() as tx:
        tx.execute(insert(SessionRow), sessions)
        tx.execute(insert(MessageRow), messages)
    engine.dispose()
    db = Database(url)
    add_session(db, "live")
    add_run(db, "live", text="a prompt that waits")
    db.close()


def rows(url: str) -> dict[str, list[tuple[str, ...]]]:
    """All rows by table, without what is made again."""
    engine = create_engine(url)
    left_out = {"indexed_by", "title_indexed_by"}
    with engine.connect() as tx:
        found = {
            table.name: sorted(
                tuple(map(repr, row))
                for row in tx.execute(select(*[c for c in table.c if c.name not in left_out]))
            )
            for table in TABLES
        }
    engine.dispose()
    return found


def move_all(two: Two) -> int:
    return move(two.source, two.target, lambda table, copied, every: None)


@pytest.mark.timeout(600)
def test_all_rows_arrive_and_new_ones_get_new_numbers(
    two: Two, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["move-database", "--to", two.target]) == 0
    assert "set DATABASE_URL" in capsys.readouterr().out
    assert rows(two.target) == rows(two.source)
    engine = create_engine(two.target)
    with engine.begin() as tx:
        highest = tx.scalar(select(func.max(MessageRow.id)))
        unindexed = tx.scalar(select(func.count()).where(MessageRow.indexed_by.is_(None)))
    engine.dispose()
    assert unindexed == SESSIONS * MESSAGES + 1
    db = Database(two.target)
    add_session(db, "after")
    add_run(db, "after")
    newest = db.read(lambda tx: tx.scalar(select(func.max(MessageRow.id))))
    db.close()
    assert highest is not None
    assert newest == highest + 1


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_copy_that_was_interrupted_is_gone_on_with(
    two: Two, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "ROWS", 50)
    seen: list[tuple[str, int]] = []

    def interrupt(table: str, copied: int, every: int) -> None:
        seen.append((table, copied))
        if len(seen) == at:
            raise Interrupted

    with pytest.raises(Interrupted):
        move(two.source, two.target, interrupt)
    before = list(seen)
    seen.clear()
    move(two.source, two.target, lambda table, copied, every: seen.append((table, copied)))
    assert not set(before) & set(seen), "nothing is copied again"
    assert rows(two.target) == rows(two.source)


def test_a_copy_of_what_has_changed_since_begins_anew(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "ROWS", 50)

    def interrupt(table: str, copied: int, every: int) -> None:
        if table == "messages":
            raise Interrupted

    with pytest.raises(Interrupted):
        move(two.source, two.target, interrupt)
    db = Database(two.source)
    add_session(db, "later")
    db.close()
    move_all(two)
    assert rows(two.target) == rows(two.source)


def test_a_database_that_is_used_is_left_alone(two: Two) -> None:
    move_all(two)
    with pytest.raises(NotEmpty):
        move_all(two)
    engine = create_engine(two.target)
    with engine.connect() as tx:
        marks = tx.scalar(
            text("SELECT count(*) FROM installation_secrets WHERE name = :mark"), {"mark": MARK}
        )
        assert tx.scalar(select(func.count()).select_from(RunRow)) == 1
    engine.dispose()
    assert marks == 0
    assert {table.name for table in TABLES} < Base.metadata.tables.keys()


def test_it_refuses_while_roles_run_and_what_it_cannot_do(
    two: Two, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse = Pulse("worker", tmp_path, live=dict, ready=dict)
    pulse.start()
    assert main(["move-database", "--to", two.target]) == 1
    assert f"still running here: worker {os.getpid()}" in capsys.readouterr().err
    pulse.stop()
    assert main(["move-database", "--to", f"sqlite:///{tmp_path / 'other.db'}"]) == 1
    monkeypatch.setenv("DATABASE_URL", two.target)
    assert main(["move-database", "--to", two.target]) == 1
    assert "from SQLite" in capsys.readouterr().err
