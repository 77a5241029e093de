"""How long long sessions take: `resume`, and the first token of a run (`make bench-sessions`).

Real processes; the direct read is the same run read straight from the gateway, in turn with ours.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import requests
from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.db.models import MessageRow, SessionRow
from tests.bench.raw_client import RawClient
from tests.support.demo_gateway import scripted
from tests.support.postgres import PostgresServer, find_binaries
from tests.support.stack import TOKEN, Stack

OWNER = "default"
WORD = "lorem ipsum dolor sit amet consectetur adipiscing elit "


def seed(stack: Stack, session_id: str, count: int, size: int) -> None:
    """A session of `count` messages of `size` characters, user and assistant in turn."""

    def work(session: Session) -> None:
        session.add(
            SessionRow(
                owner=OWNER,
                id=session_id,
                profile="default",
                started_at=1.0,
                last_active=1.0,
                title="bench",
                next_turn=count // 2 + 1,
            )
        )
        session.flush()
        text = (WORD * (size // len(WORD) + 1))[:size]
        session.execute(
            insert(MessageRow),
            [
                {
                    "owner": OWNER,
                    "session_id": session_id,
                    "turn_no": n // 2 + 1,
                    "idx": n % 2,
                    "role": "assistant" if n % 2 else "user",
                    "content": text,
                    "timestamp": 1.0 + n,
                    "token_count": 20,
                }
                for n in range(count)
            ],
        )

    stack.db.write(work)


def resume_time(stack: Stack, session_id: str) -> float:
    """Milliseconds from `resume` to the whole of `resumed`, on a connection that is open."""
    client = RawClient(stack.url, TOKEN)
    began = time.monotonic()
    client.emit("resume", {"session_id": session_id})
    arrived, _ = client.until("resumed")
    client.close()
    return 1000 * (arrived - began)


def first_token_time(stack: Stack, session_id: str) -> float:
    """Milliseconds from `run` to the first delta; the run is short and awaited."""
    client = RawClient(stack.url, TOKEN)
    began = time.monotonic()
    client.emit("run", {"session_id": session_id, "input": scripted(tokens=2)})
    arrived, _ = client.until("message.delta")
    client.until("run.completed")
    client.close()
    return 1000 * (arrived - began)


def direct_first_token_time(stack: Stack) -> float:
    """The same, straight from the gateway."""
    gateway = stack.gateway
    http = requests.Session()
    http.headers["Authorization"] = f"Bearer {gateway.key}"
    began = time.monotonic()
    run_id = http.post(f"{gateway.url}/v1/runs", json={"input": scripted(tokens=2)}).json()[
        "run_id"
    ]
    with http.get(f"{gateway.url}/v1/runs/{run_id}/events", stream=True) as stream:
        for line in stream.iter_lines():
            if b"message.delta" in line:
                return 1000 * (time.monotonic() - began)
    raise AssertionError("no token")


def measured(rounds: int, work: Callable[[], float]) -> str:
    """Median and range of some rounds after one that does not count."""
    work()
    values = sorted(work() for _ in range(rounds))
    return f"{statistics.median(values):7.1f}  ({values[0]:.1f} - {values[-1]:.1f})"


def table(stack: Stack, rounds: int, database: str) -> None:
    """Print the rows for one database."""
    for name, count, size in (("r400", 400, 1000), ("r2000", 2000, 1000)):
        seed(stack, name, count, size)
    rows: list[tuple[str, Callable[[], float], str]] = [
        ("resume, 400 messages, 400 KB", lambda: resume_time(stack, "r400"), "15"),
        ("resume, 2,000 messages, last 500", lambda: resume_time(stack, "r2000"), "25"),
        ("first token, empty session", lambda: first_token_time(stack, f"e{time.time()}"), "-"),
        ("first token, 2,000 messages, 2 MB", lambda: first_token_time(stack, "r2000"), "120"),
        ("first token, direct read", lambda: direct_first_token_time(stack), "-"),
    ]
    for what, work, goal in rows:
        print(f"{database:11} {what:36} {measured(rounds, work):>26}   goal {goal:>4}")


def main() -> None:
    """Start a stack for each database and print the table; milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds: int = parser.parse_args().rounds
    settings: dict[str, Any] = {"LOG_LEVEL": "INFO"}
    print(f"{'database':11} {'what':36} {'ms: median (range)':>26}")
    _one("sqlite", "", rounds, settings)
    binaries = find_binaries()
    if binaries is None:
        print("postgresql  left out: no server on this machine")
        return
    server = PostgresServer(binaries)
    try:
        _one("postgresql", server.create_database("bench"), rounds, settings)
    finally:
        server.stop()


def _one(database: str, url: str, rounds: int, settings: dict[str, Any]) -> None:
    stack = Stack(database_url=url, **settings)
    try:
        table(stack.start(), rounds, database)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
