"""The maintenance process, which also notes each transaction of the cleaning in a file.

A line is the monotonic time at its end, the seconds for which it held its snapshot or locks, and
what it did. On SQLite the time in which it waited for other writers is not part of them.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.db import database

FILE = "transactions-of-the-cleaning"
CLEANING = (
    "shared.delete_session",
    "shared.db.retention",
    "shared.db.gateway_sessions",
    "worker.maintenance.gateway_session_cleanup",
)

_here = threading.local()


def note_transactions(file: Path) -> None:
    """Have them noted from now on; databases that exist already are not."""
    transaction, begin = database._transaction, database._begin_sqlite
    out = file.open("a", buffering=1)

    def noting(engine: Any, work: Callable[..., Any]) -> Any:
        function = getattr(work, "func", work)  # of a partial
        _here.began = time.monotonic()
        result = transaction(engine, work)
        now = time.monotonic()
        if function.__module__ in CLEANING:
            out.write(f"{now} {now - _here.began} {function.__qualname__}\n")
        return result

    def beginning(connection: Any) -> None:
        begin(connection)
        _here.began = time.monotonic()

    setattr(database, "_transaction", noting)  # noqa: B010 - functions are not assigned to lightly
    setattr(database, "_begin_sqlite", beginning)  # noqa: B010


if __name__ == "__main__":
    note_transactions(Path(os.environ["HOLDFAST_HOME"]) / FILE)
    sys.argv = ["worker", "maintenance"]
    runpy.run_module("worker", run_name="__main__", alter_sys=True)
