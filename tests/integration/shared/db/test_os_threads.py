"""SQLite in a green process: two connections, whose units of work run in OS threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.db import migrate

UNITS = 300  # of each of four threads

READ_AND_WRITE = """
from shared import runtime
runtime.patch()
import sys, threading, time
from sqlalchemy import select
from shared.db.database import Database
from shared.db.models import SessionRow

sys.setswitchinterval(1e-6)  # seconds: the OS threads take turns as often as they can
url, units = sys.argv[1], int(sys.argv[2])
db, done = Database(url), []

def work(unit_of_work):
    for _ in range(units):
        unit_of_work(lambda tx: tx.scalars(select(SessionRow)).all())
        done.append(True)
        time.sleep(0)

threads = [threading.Thread(target=work, args=(kind,)) for kind in (db.read, db.write) * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done))
"""


@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_units_of_both_connections_do_not_leave_each_other_waiting(
    library: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'some.db'}"
    migrate.upgrade(url)
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_WRITE, url, str(UNITS)],
        env={**os.environ, "RUNTIME": library},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == 4 * UNITS
