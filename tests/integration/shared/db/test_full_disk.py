"""A disk that is full, and other writers that stay: refused, then well again (W8, F20)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from shared.db import database as database_module
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.errors import DatabaseUnavailable
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.rows import add_run, add_session
from tests.support.servers.redis_server import RedisServer
from tests.support.worker_stand import SESSION, WorkerStand
from worker import services as parts_module


class Disk:
    """Room for the pages that a database has, and not one more, while it is `full`."""

    def __init__(self, db: Database) -> None:
        self.full = False
        event.listen(db._engine, "begin", self._limit)

    def _limit(self, connection: Any) -> None:
        pages = 1 if self.full else 1_000_000  # SQLite raises it to what there is
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'test.db'}?timeout=0.2"
    upgrade(url)
    db = Database(url)
    add_session(db, "s")
    yield db
    db.close()


def test_a_full_disk_refuses_says_so_and_takes_runs_again_when_there_is_room(
    sqlite: Database,
) -> None:
    disk = Disk(sqlite)
    disk.full = True
    with pytest.raises(DatabaseUnavailable, match="disk is full"):
        add_run(sqlite, "s", text="x" * 500_000)
    assert sqlite.read(lambda s: s.execute(text("SELECT count(*) FROM runs")).scalar()) == 0
    disk.full = False
    add_run(sqlite, "s", text="x" * 500_000)


def test_postgresql_says_that_its_disk_is_full_in_the_same_words(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        return
    db = Database(database_url)

    def work(tx: Session) -> None:
        tx.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE='53100'; END $$"))

    with pytest.raises(DatabaseUnavailable, match="disk is full"):
        db.write(work)
    db.close()


def test_behind_another_writer_every_unit_of_work_gives_up_in_time(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "CONFLICTS_FOR", 1.0)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    took: list[float] = []

    def one() -> None:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="too busy"):
            add_run(sqlite, None)
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    other.close()
    assert len(took) == 20
    assert max(took) < 2.5, "they wait for each other, not each for the other writer"
    add_run(sqlite, None)


def test_the_end_of_a_run_waits_for_room_and_is_written_whole(
    tmp_path: Path,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(parts_module, "PAUSE", 0.05)
    url = f"sqlite:///{tmp_path / 'test.db'}"
    with DemoGateway.start(key="a-key", max_runs=0) as gateway:
        stand = WorkerStand(tmp_path, url, redis_server, gateway, context_length=200_000)
        try:
            disk = Disk(stand.db)
            add_session(stand.db, SESSION)
            run_id = stand.queue("word " * 20_000)
            thread = stand.begin(run_id)
            stand.wait_for_post("eph")
            disk.full = True
            deadline = time.monotonic() + 20
            while "database.waiting" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert stand.state(run_id) == "running"
            disk.full = False
            thread.join(20)
            assert stand.state(run_id) == "completed"
            assert stand.names(run_id).count("run.completed") == 1
        finally:
            stand.stop()
