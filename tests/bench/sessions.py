"""How long long sessions take: `resume`, and the first token of a run (`make bench-sessions`).

Real processes; the direct read is the same run read straight from the gateway, in turn with ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import requests
from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.db.models import MessageRow, SessionRow
from tests.bench.load.databases import databases
from tests.bench.load.raw_client import RawClient
from tests.bench.load.spread import Spread
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.servers.stack import TOKEN, Stack

OWNER = "default"
WORD = "lorem ipsum dolor sit amet consectetur adipiscing elit "

RESUME_400 = "resume, 400 messages, 400 KB"
RESUME_2000 = "resume, 2,000 messages, last 500"
FIRST_EMPTY = "first token, empty session"
FIRST_2000 = "first token, 2,000 messages, 2 MB"
FIRST_DIRECT = "first token, direct read"
GOALS = {RESUME_400: "15", RESUME_2000: "25", FIRST_2000: "120"}


def seed(stack: Stack, session_id: str, count: int, size: int, *, owner: str = OWNER) -> None:
    """A session of `count` messages of `size` characters, user and assistant in turn."""

    def work(tx: Session) -> None:
        tx.add(
            SessionRow(
                owner=owner,
                id=session_id,
                profile="default",
                started_at=1.0,
                last_active=1.0,
                title="bench",
                next_turn=count // 2 + 1,
            )
        )
        tx.flush()
        if not count:
            return
        text = (WORD * (size // len(WORD) + 1))[:size]
        tx.execute(
            insert(MessageRow),
            [
                {
                    "owner": owner,
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


def direct_first_token_time(gateway: DemoGateway) -> float:
    """The same, straight from the gateway."""
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


def spread(rounds: int, work: Callable[[], float]) -> Spread:
    """Of some rounds after one that does not count."""
    work()
    return Spread.of([work() for _ in range(rounds)])


def measured_sessions(
    stack: Stack, gateway: DemoGateway, rounds: int
) -> dict[str, dict[str, Spread]]:
    """Milliseconds of each kind of work."""
    for name, count, size in (("r400", 400, 1000), ("r2000", 2000, 1000)):
        seed(stack, name, count, size)
    rows: dict[str, Callable[[], float]] = {
        RESUME_400: lambda: resume_time(stack, "r400"),
        RESUME_2000: lambda: resume_time(stack, "r2000"),
        FIRST_EMPTY: lambda: first_token_time(stack, f"e{time.time()}"),
        FIRST_2000: lambda: first_token_time(stack, "r2000"),
        FIRST_DIRECT: lambda: direct_first_token_time(gateway),
    }
    return {what: {"ms": spread(rounds, work)} for what, work in rows.items()}


def main() -> None:
    """Start a stack for each database and print the table; milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds: int = parser.parse_args().rounds
    print(f"{'database':11} {'what':36} {'ms: median (range)':>26}")
    with databases() as found:
        for database, fresh in found.items():
            stack = Stack(database_url=fresh())
            try:
                rows = measured_sessions(stack.start(), stack.gateway, rounds)
            finally:
                stack.stop()
            for what, numbers in rows.items():
                goal = GOALS.get(what, "-")
                print(f"{database:11} {what:36} {numbers['ms']!s:>26}   goal {goal:>4}")


if __name__ == "__main__":
    main()
