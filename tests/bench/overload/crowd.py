"""A stack with several users, and what its database says of their runs."""

from __future__ import annotations

import hashlib
import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import Any

import redis
import requests
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.constants import constant
from shared.db.models import HAS_ENDED, AttemptRow, RunRow
from shared.event_log.keys import BROKER_PREFIX
from shared.protocol.run_states import RunState
from shared.task_queue import RUNS
from tests.bench.load.raw_client import RawClient
from tests.bench.overload.timeline import Timeline
from tests.support.gateways.demo_gateway import scripted
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

MANY, ONE = "many", "one"  # the user with all the work, and the other one
OTHERS = [f"other-{number}" for number in range(20)]  # who send one run each
PROBE_EVERY = 2.0  # seconds

_numbers = itertools.count(1)


_QUEUED = (RunRow.state == constant(RunState.QUEUED), RunRow.announced_at.is_(None))
_LOOK = select(
    select(func.count()).select_from(RunRow).where(HAS_ENDED).scalar_subquery().label("ended"),
    select(func.count()).select_from(RunRow).where(*_QUEUED).scalar_subquery().label("waiting"),
)


def token_of(user: str) -> str:
    """What the user shows."""
    return f"token-of-{user}-0123456789"


class Crowd:
    """Two users at one stack."""

    def __init__(self, stack: Stack, timeline: Timeline) -> None:
        self.stack, self.timeline = stack, timeline
        self._http = requests.Session()
        self._redis: Any = redis.Redis.from_url(stack.redis.url)

    def send(self, user: str, *, tokens: int, rate: float, session: str = "") -> str:
        """Start a run of so many tokens, so many a second; its id, or the code of the refusal."""
        payload = {
            "session_id": session or f"{user}-{next(_numbers)}",
            "input": scripted(tokens=tokens, rate=rate),
        }
        headers = {"Authorization": f"Bearer {token_of(user)}"}
        url = f"{self.stack.url}/runs"
        answer = self._http.post(url, json=payload, headers=headers, timeout=30).json()
        return str(answer["run_id"] if answer["ok"] else answer["error"]["code"])

    def socket(self, user: str) -> RawClient:
        """A socket of the user."""
        return RawClient(self.stack.url, token_of(user))

    def first_token(self, user: str = ONE, *, within: float = 120.0) -> float:
        """Seconds from a run of another user to its first token."""
        client, began = self.socket(user), time.monotonic()
        session = f"{user}-{next(_numbers)}"
        client.emit("run", {"session_id": session, "input": scripted(tokens=3, rate=50)})
        came, _ = client.until("message.delta")
        client.close()
        assert came - began < within
        self.timeline.first_token(began, came - began)
        return came - began

    def messages(self) -> int:
        """How many messages wait in the queue of runs."""
        return int(self._redis.llen(f"{BROKER_PREFIX}{RUNS}"))

    def ended_since(self, moment: float) -> int:
        """How many runs of the load have completed since then, by the clock of the database."""
        query = select(func.count()).select_from(RunRow).where(RunRow.owner.not_in(OTHERS))
        query = query.where(RunRow.state == "completed", RunRow.ended_at > moment)
        return self.stack.read(lambda tx: tx.scalar(query)) or 0

    def close(self) -> None:
        """Close what it has open."""
        self._http.close()
        self._redis.close()

    def look(self) -> tuple[int, int, int]:
        """How many runs have ended, how many wait, and how many messages; each from an index."""
        found = self.stack.read(lambda tx: tx.connection().execute(_LOOK).one())
        return (found.ended, found.waiting, self.messages())

    def verdict(self) -> dict[str, int]:
        """What must not have happened: takeovers, runs that failed, were lost or posted twice."""

        def work(tx: Session) -> dict[str, int]:
            def count(*conditions: Any) -> int:
                return tx.scalar(select(func.count()).select_from(RunRow).where(*conditions)) or 0

            twice = select(AttemptRow.run_id).group_by(AttemptRow.run_id).having(func.count() > 1)
            return {
                "runs": count(),
                "taken over": count(RunRow.takeovers > 0),
                "failed": count(RunRow.state == "failed"),
                "not ended": count(RunRow.ended_at.is_(None)),
                "posted twice": len(tx.scalars(twice).all()),
            }

        return self.stack.read(work)


@contextmanager
def crowd(
    database_url: str,
    timeline: Timeline | None = None,
    kind: type[Stack] = Stack,
    **settings: object,
) -> Iterator[Crowd]:
    """A stack with both users; without a timeline nothing is sampled. At its end nobody waits for
    the runs that are still live."""
    settings = {"DRAIN_SECONDS": 1, **settings}
    stack = kind(database_url=database_url, **settings)  # type: ignore[arg-type]
    users = stack.folder / "tokens.toml"
    lines = [f'{user} = "{hashlib.sha256(token_of(user).encode()).hexdigest()}"\n'
             for user in (MANY, ONE, *OTHERS)]  # fmt: skip
    users.write_text("".join(["[users]\n", *lines]))
    users.chmod(0o600)
    stack.environment["TOKENS_FILE"] = str(users)
    try:
        stack.start()
        watched = timeline or Timeline()
        with (
            closing(Crowd(stack, watched)) as people,
            watched.watching(people.look) if timeline else nullcontext(),
        ):
            yield people
    finally:
        stack.stop()


class Probes:
    """Sends a short run of another user now and then, from a thread: the timeline notes them."""

    def __init__(self, people: Crowd) -> None:
        self._people, self._over = people, threading.Event()
        self._thread = threading.Thread(target=self._probe, daemon=True)
        self._thread.start()

    def _probe(self) -> None:
        for other in itertools.cycle(OTHERS):
            if self._over.wait(PROBE_EVERY):
                return
            with suppress(Exception):  # a probe that waits for too long is left out
                self._people.first_token(other)

    def stop(self) -> None:
        """No more of them."""
        self._over.set()
        self._thread.join(120)


class Gaps:
    """Watches a live run from a thread: the times between its tokens."""

    def __init__(self, people: Crowd, tokens: int, rate: float) -> None:
        self._client, self._timeline = people.socket(ONE), people.timeline
        self._times: list[float] = []
        self._session = f"{ONE}-{next(_numbers)}"
        text = scripted(tokens=tokens, rate=rate)
        self._client.emit("run", {"session_id": self._session, "input": text})
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            while True:
                self._times.append(self._client.until("message.delta")[0])
                if len(self._times) > 1:
                    self._timeline.gap(self._times[-1], self._times[-1] - self._times[-2])
        except Exception:  # noqa: BLE001 - the socket was closed: the watch is over
            return

    def streams(self) -> bool:
        """Whether tokens have come."""
        return bool(self._times)

    def stop(self) -> None:
        """End the watch and the run."""
        self._client.emit("abort", {"session_id": self._session})
        self._thread.join(2)
        self._client.close()

    def p99(self) -> float:
        """End the watch; milliseconds."""
        self._client.close()
        pairs = zip(self._times, self._times[1:], strict=False)
        gaps = sorted(after - before for before, after in pairs)
        return round(1000 * gaps[int(len(gaps) * 0.99)], 1) if gaps else 0.0


def wait_until_idle(people: Crowd, *, within: float = 600.0) -> None:
    """Until all runs have ended."""
    wait_until(lambda: not people.verdict()["not ended"], within=within, what="all runs have ended")


def median(values: list[float]) -> float:
    """Rounded to milliseconds."""
    return round(statistics.median(values), 3)
