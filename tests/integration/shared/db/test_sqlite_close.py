"""A process that stops closes its database, although a unit of work may still wait in it."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.db.database import Database


def test_a_connection_that_is_in_use_is_not_closed_in_its_midst(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    begun, closed = threading.Event(), threading.Event()
    found: list[object] = []
    calls: list[int] = []

    def work(tx: Session) -> object:
        calls.append(1)
        tx.execute(text("SELECT 1"))
        begun.set()
        closed.wait(30)
        return tx.scalar(text("SELECT 2"))

    thread = threading.Thread(target=lambda: found.append(db.write(work)))
    thread.start()
    assert begun.wait(10)
    db.close()
    closed.set()
    thread.join(30)
    assert (found, len(calls)) == ([2], 1)
    db.close()
