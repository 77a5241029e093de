"""The commands of docs/BACKUP.md, as they are written: a backup, and the restore of it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from shared.db.database import Database
from shared.db.migrate import is_current, upgrade
from shared.db.models import MessageRow
from tests.support.paths import ROOT
from tests.support.rows import add_run, add_session
from tests.support.servers.postgres import PostgresServer

PAGE = (ROOT / "docs" / "BACKUP.md").read_text("utf-8")
SESSIONS = 20


def commands(section: str) -> list[str]:
    """The commands of a section of the page, in order."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^    (.+)$", text, re.MULTILINE)


def run(command: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fill(url: str) -> list[str]:
    """Sessions with a prompt each; the texts."""
    upgrade(url)
    db = Database(url)
    try:
        for number in range(SESSIONS):
            add_session(db, f"s{number}")
            add_run(db, f"s{number}", text=f"prompt {number} ünï")
    finally:
        db.close()
    return texts(url)


def texts(url: str) -> list[str]:
    """The stored texts."""
    db = Database(url)
    try:
        return db.read(lambda tx: list(tx.scalars(select(MessageRow.content).order_by("content"))))
    finally:
        db.close()


def test_a_dump_of_postgresql_is_restored_whole(postgres: PostgresServer, tmp_path: Path) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump")
    source, target = postgres.create_database("kept"), postgres.create_database("restored")
    try:
        before = fill(source)
        dump, restore = commands("PostgreSQL")
        plain = {
            "DATABASE_URL": make_url(source).set(drivername="postgresql"),
            "RESTORED_URL": make_url(target).set(drivername="postgresql"),
        }
        urls = {name: url.render_as_string(hide_password=False) for name, url in plain.items()}
        run(dump, tmp_path, **urls)
        add = Database(source)
        add_session(add, "later")
        add.close()
        run(restore, tmp_path, **urls)
        assert is_current(target)
        assert texts(target) == before
        assert len(before) == SESSIONS
        (query,) = commands("After a restore")[-1:]
        assert run(query, tmp_path, **urls).count("run_") == SESSIONS
    finally:
        for name in ("kept", "restored"):
            postgres.drop_database(name)


def test_a_copy_of_sqlite_that_is_being_written_is_restored_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    url = f"sqlite:///{home / 'holdfast.db'}"
    before = fill(url)
    (backup,) = [one for one in commands("SQLite") if "backup(" in one]
    remove, copy = commands("SQLite")[1:]
    writer = Database(url)  # it has the database open, with a write-ahead log
    try:
        add_session(writer, "open")
        run(backup, tmp_path, HOLDFAST_HOME=str(home))
        add_run(writer, "open", text="after the backup")
    finally:
        writer.close()
    run(remove, tmp_path, HOLDFAST_HOME=str(home))
    run(copy, tmp_path, HOLDFAST_HOME=str(home))
    assert is_current(url)
    assert texts(url) == before
