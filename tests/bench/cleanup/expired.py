"""Throw-away sessions that have expired: each with a run, messages, usage and a gateway session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.models import (
    AttemptRow,
    DeletionRow,
    MessageRow,
    RunRow,
    SessionRow,
    UsageRow,
)
from shared.db.retention import EPHEMERAL
from shared.db.search import index
from tests.support.gateways.demo_gateway import DemoGateway, scripted

AGE = 30 * 3600.0  # seconds; they live for a day, and their gateway sessions may be there for two
AT_ONCE = 500  # sessions of one transaction
RUNS, MESSAGES_OF_RUN = 2, 3
PREFIX = "eph_hf_expired_"
WORDS = "the quick brown fox jumps over the lazy dog and comes back in the evening " * 6

Row = dict[str, Any]


def add_expired(db: Database, owner: str, count: int) -> list[str]:
    """Add so many, the deletion of whose gateway sessions is due; the names of these."""
    names: list[str] = []
    for first in range(0, count, AT_ONCE):
        at = time.time() - AGE
        rows = [_rows(owner, n, at) for n in range(first, min(first + AT_ONCE, count))]

        def work(tx: Session, rows: list[dict[type, list[Row]]] = rows) -> None:
            for table in (SessionRow, RunRow, AttemptRow, MessageRow, UsageRow, DeletionRow):
                tx.execute(insert(table), [row for one in rows for row in one[table]])

        db.write(work)
        names += [row["session_id"] for one in rows for row in one[DeletionRow]]
    while db.write(index.index_some):
        pass
    db.write(index.settle)
    return names


def add_at_gateway(gateway: DemoGateway, names: list[str]) -> None:
    """Have the gateway make sessions of these names."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: gateway.post(scripted(tokens=1), session_id=name), names))


def left(db: Database) -> tuple[int, int]:
    """How many expired sessions are there, and how many gateway sessions of such are queued."""

    def work(tx: Session) -> tuple[int, int]:
        count = select(func.count())
        sessions = count.select_from(SessionRow).where(SessionRow.source == EPHEMERAL)
        deletions = count.select_from(DeletionRow).where(DeletionRow.session_id.startswith(PREFIX))
        return tx.scalar(sessions) or 0, tx.scalar(deletions) or 0

    return db.read(work)


def _rows(owner: str, number: int, at: float) -> dict[type, list[Row]]:
    session = f"expired-{number:06d}"
    runs = [f"run_expired_{number:06d}_{turn}" for turn in range(1, RUNS + 1)]
    whose = {"owner": owner, "profile": "default"}
    return {
        SessionRow: [
            {
                **whose,
                "id": session,
                "source": EPHEMERAL,
                "started_at": at,
                "last_active": at + number / 1000,
                "title": f"throw-away {number}",
                "next_turn": RUNS + 1,
            }
        ],
        RunRow: [_run(run, session, turn, at) | whose for turn, run in enumerate(runs, start=1)],
        AttemptRow: [
            {"run_id": run, "fence": 1, "ephemeral_id": _name(run), "profile": "default"}
            for run in runs
        ],
        MessageRow: [
            row | {"owner": owner}
            for turn, run in enumerate(runs, start=1)
            for row in _messages(run, session, turn, at)
        ],
        UsageRow: [
            {**whose, "run_id": run, "session_id": session, "created_at": at} for run in runs
        ],
        DeletionRow: [
            {
                "profile_name": "default",
                "session_id": _name(run),
                "created_at": at,
                "updated_at": at,
                "next_attempt_at": at,
            }
            for run in runs[:1]  # the others' come with the deletion of their session
        ],
    }


def _name(run: str) -> str:
    return f"{PREFIX}{run}"


def _run(run: str, session: str, turn: int, at: float) -> Row:
    return {
        "id": run,
        "session_id": session,
        "state": "completed",
        "input": WORDS,
        "payload_hash": "",
        "queue_no": turn,
        "turn_no": turn,
        "created_at": at,
        "first_claimed_at": at,
        "first_token_at": at,
        "ended_at": at,
        "announced_at": at,
        "fence": 1,
        "terminal_seq": 9,
        "last_seq": 9,
        "gateway_synced": True,
        "output": WORDS,
    }


def _messages(run: str, session: str, turn: int, at: float) -> Iterator[Row]:
    for idx in range(MESSAGES_OF_RUN):
        yield {
            "session_id": session,
            "run_id": run,
            "turn_no": turn,
            "idx": idx,
            "role": "assistant" if idx else "user",
            "content": WORDS,
            "timestamp": at,
            "token_count": 80,
        }
