"""`python -m tests.bench.session_lists`: how long lists and searches of sessions take.

An owner with 10,000 sessions and 200,000 messages, and another one with a twentieth of that, on
both databases. Each figure is the median of `--rounds` calls in a process of its own, without HTTP.
It also measures what the terms cost the transaction that ends a run.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from shared.db import migrate
from shared.db.database import Database
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.runs import claim as claims
from shared.db.runs.claim import Claim
from shared.db.runs.complete import Closing, close
from shared.db.runs.terminal import mark_announced
from shared.db.search import index
from shared.db.sessions.list_sessions import Filter, SessionPage, list_sessions
from shared.protocol.run_states import RunState
from tests.bench.load.databases import POSTGRESQL, SQLITE, databases
from tests.support.rows import add_run, add_session

Rows = list[dict[str, object]]

OWNER, OTHER = "default", "other"
SESSIONS, PER_SESSION = 10_000, 20
WORDS = 20_000  # different ones, used as often as words of a language are
LENGTH = 60  # words of a message
HAN = "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽雲騰致雨露結為霜"
QUERIES = {
    "a rare word": "w19000",
    "a word in every second message": "w1",
    "three frequent words": "w2 w3 w5",
    "the beginning of many words": "w12",
    "two words that hardly meet": "w15000 w18000",
    "Chinese, two characters": "天地",
    "Chinese, one character": "玄",
    "nothing": "xylophone",
}


def texts(seed: int) -> Iterator[str]:
    """Texts without end; every tenth has a line of Chinese."""
    chance = random.Random(seed)
    weights = [1 / (rank + 2) for rank in range(WORDS)]
    words = [f"w{rank}" for rank in range(WORDS)]
    while True:
        drawn = chance.choices(words, weights, k=LENGTH * 1000)
        for at in range(1000):
            found = " ".join(drawn[at * LENGTH : (at + 1) * LENGTH])
            yield found + ("".join(chance.choices(HAN, k=30)) if at % 10 == 0 else "")


def fill(db: Database, owner: str, sessions: int) -> None:
    """Sessions with messages, without terms."""
    source = texts(sessions)
    for first in range(0, sessions, 500):
        numbers = range(first, min(first + 500, sessions))
        rows = [_session(owner, number) for number in numbers]
        messages = [
            _message(owner, number, turn, said)
            for number in numbers
            for turn, said in enumerate(islice(source, PER_SESSION))
        ]

        def work(tx: Session, rows: Rows = rows, messages: Rows = messages) -> None:
            tx.execute(insert(SessionRow), rows)
            tx.execute(insert(MessageRow), messages)

        db.write(work)


def _session(owner: str, number: int) -> dict[str, object]:
    return {
        "owner": owner,
        "id": f"session-{number}",
        "profile": "default",
        "title": f"Title w{number} of it",
        "started_at": float(number),
        "last_active": float(number),
        "archived": number % 10 == 0,
        "pinned": number % 1000 == 1,
    }


def _message(owner: str, number: int, turn: int, said: str) -> dict[str, object]:
    return {
        "owner": owner,
        "session_id": f"session-{number}",
        "turn_no": turn // 2 + 1,
        "idx": turn % 2,
        "role": "assistant" if turn % 2 else "user",
        "content": said,
        "timestamp": float(number),
    }


def index_all(db: Database) -> float:
    """Add all terms as the background job does; how many rows a second."""
    began, done = time.monotonic(), 0
    while some := db.write(index.index_some):
        done += some
    db.write(index.settle)
    return done / (time.monotonic() - began)


def timed(work: Callable[[], object], rounds: int) -> str:
    """Milliseconds: median (least - most)."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return f"{statistics.median(found):.1f} ({min(found):.1f} - {max(found):.1f})"


def reads(db: Database, rounds: int) -> Iterator[tuple[str, str]]:
    """The figures of lists and searches, by what was asked."""

    def page(**options: object) -> SessionPage:
        return db.read(partial(list_sessions, owner=OWNER, **options))  # type: ignore[arg-type]

    middle = page(limit=200, offset=5_000).next_cursor
    yield "list, first page of 50", timed(partial(page), rounds)
    yield "list, a page in the middle", timed(partial(page, cursor=middle), rounds)
    yield "list, archived only", timed(partial(page, only=Filter(archived=True)), rounds)
    for name, query in QUERIES.items():
        found = page(query=query)
        label = f"search, {name}: {found.total}{'' if found.is_complete else '+'} sessions"
        yield label, timed(partial(page, query=query), rounds)


def endings(db: Database, rounds: int) -> str:
    """The transaction that ends a run with three messages of 2,000 characters."""
    add_session(db, "ending")
    said = [row[:2000] for row in islice((" ".join(islice(texts(1), 8)) for _ in range(3)), 3)]
    rows = [{"role": "assistant", "content": one} for one in said]
    found: list[float] = []
    for number in range(rounds):
        run_id = add_run(db, "ending", queue_no=number + 1)
        claim = db.write(lambda tx, run=run_id: claims.claim(tx, run, "w", 30.0))  # type: ignore[misc]
        assert isinstance(claim, Claim)
        closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=1, rows=rows)
        began = time.perf_counter()
        db.write(partial(close, claim=claim, closing=closing))
        found.append((time.perf_counter() - began) * 1000)
        db.write(partial(mark_announced, run_id=run_id))
        db.write(lambda tx: tx.query(MessageRow).filter_by(session_id="ending").delete())
        db.write(lambda tx: tx.query(RunRow).filter_by(session_id="ending").delete())
    return f"{statistics.median(found):.1f} ({min(found):.1f} - {max(found):.1f})"


def measure(url: str, rounds: int, sessions: int) -> None:
    """Print the figures of one database."""
    migrate.upgrade(url)
    db = Database(url)
    for owner, count in ((OWNER, sessions), (OTHER, sessions // 20)):
        fill(db, owner, count)
    print(f"| terms added in the background, rows/s | {index_all(db):,.0f} |", flush=True)
    db.write(lambda tx: tx.execute(text("ANALYZE")))
    for name, figure in reads(db, rounds):
        print(f"| {name} | {figure} |", flush=True)
    print(f"| end of a run | {endings(db, 5 * rounds)} |", flush=True)
    db.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), action="append")
    chosen = parser.parse_args()
    with databases(tuple(chosen.database or (SQLITE, POSTGRESQL))) as found:
        for name, fresh in found.items():
            print(f"| {name}, ms | median (least - most) |\n| --- | --- |")
            with tempfile.TemporaryDirectory() as folder:
                url = fresh() or f"sqlite:///{folder}/bench.db"
                measure(url, chosen.rounds, chosen.sessions)


if __name__ == "__main__":
    main()
