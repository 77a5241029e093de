"""On SQLite reads do not queue behind writes of the same process (R35, A9)."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import SessionRow
from tests.support.rows import add_session


def count(tx: Session) -> int:
    return tx.scalar(select(func.count()).select_from(SessionRow)) or 0


def test_a_read_does_not_wait_for_a_write_that_is_under_way(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    upgrade(url)
    db = Database(url)
    writing, end = threading.Event(), threading.Event()
    seen: list[int] = []

    def write(tx: Session) -> None:
        tx.add(SessionRow(owner="o", id="s", profile="p", started_at=1.0, last_active=1.0))
        tx.flush()
        writing.set()
        end.wait(30)

    writer = threading.Thread(target=db.write, args=(write,))
    writer.start()
    assert writing.wait(10)
    reader = threading.Thread(target=lambda: seen.append(db.read(count)))
    reader.start()
    reader.join(3)
    was_read_meanwhile = list(seen)
    end.set()
    writer.join(30)
    reader.join(30)
    assert was_read_meanwhile == [0]
    assert db.read(count) == 1, "what was committed is seen"
    add_session(db, "t")
    assert db.read(count) == 2
    db.close()
