"""Databases with the current schema, made faster than by migrating each of them from nothing."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from shared.db.migrate import upgrade
from shared.db.sqlite_url import is_sqlite


def migrated(database_url: str) -> None:
    """Give an empty database the tables. A SQLite file that is not there yet becomes a copy of one
    that this test process has migrated; all others are migrated."""
    path = _missing_file(database_url)
    if path is None:
        upgrade(database_url)
    else:
        path.write_bytes(_template())


def _missing_file(database_url: str) -> Path | None:
    if not is_sqlite(database_url):
        return None
    path = Path(database_url.partition(":///")[2].partition("?")[0])
    return path if path.is_absolute() and not path.exists() else None


@cache
def _template() -> bytes:
    """A migrated file. Its last connection is closed, so that nothing of it is in a second file."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-template-"))
    try:
        upgrade(f"sqlite:///{folder / 'template.db'}")
        assert [file.name for file in folder.iterdir()] == ["template.db"]
        return (folder / "template.db").read_bytes()
    finally:
        shutil.rmtree(folder)
