"""A Hermes home's `state.db`, made by hand, with whatever rows a test wants in it."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def write_state(home: Path, sessions: Sequence[Row], messages: Sequence[Row]) -> Path:
    """Tables that have the columns of all rows, in the rows' order; the database's path."""
    path = home / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for table, rows in (("sessions", sessions), ("messages", messages)):
            names = list(dict.fromkeys(name for row in rows for name in row)) or ["id"]
            db.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            marks = ", ".join("?" * len(names))
            db.executemany(
                f"INSERT INTO {table} VALUES ({marks})",
                [[row.get(name) for name in names] for row in rows],
            )
    return path


def said(number: int, session_id: str, role: str | None, content: Any, **columns: Any) -> Row:
    """A message that was said at second 1000 + `number`."""
    return {
        "id": number,
        "session_id": session_id,
        "role": role,
        "content": content,
        "timestamp": 1000.0 + number,
        **columns,
    }
