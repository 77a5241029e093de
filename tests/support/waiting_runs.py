"""Puts many due runs of many owners into a database, in a few statements."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.database import Database
from shared.db.models import RunRow

CHUNK = 2000  # rows


def add_waiting(db: Database, *, runs: int, owners: int, texts: Sequence[str] = ("wait",)) -> None:
    """`runs` due runs without sessions, spread over `owners`, as if each owner had sent its own one
    after the other, the `texts` in turn."""
    for first in range(0, runs, CHUNK):
        rows = [
            {
                "id": f"waiting_{n:07d}",
                "owner": f"owner_{n % owners:04d}",
                "profile": "default",
                "state": "queued",
                "input": texts[n % len(texts)],
                "payload_hash": "",
                "queue_no": 1,
                "due_no": math.floor(n / owners),
                "epoch": 1,
                "fence": 0,
                "last_seq": 0,
                "takeovers": 0,
                "gateway_synced": False,
            }
            for n in range(first, min(first + CHUNK, runs))
        ]

        def work(tx: Session, rows: list[dict[str, object]] = rows) -> None:
            tx.execute(insert(RunRow).values(created_at=DbNow()), rows)

        db.write(work)
