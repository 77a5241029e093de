"""What others do meanwhile: single runs of one user, and short runs of many at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from tests.bench.cleanup.streams import Window
from tests.bench.overload.crowd import OTHERS, Crowd

FIRST_TOKEN_EVERY = 1.0  # seconds
RUN_TOKENS, RUN_RATE = 10, 20.0  # half a second at the gateway


class Others:
    """They begin at once; `stop` ends them."""

    def __init__(self, people: Crowd, runs_per_second: float) -> None:
        self._people = people
        self._stopped = threading.Event()
        self._firsts: list[tuple[float, float]] = []  # when it came, seconds that it took
        self._per_second = runs_per_second
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._ask, self._send)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def first_tokens(self, window: Window) -> list[float]:
        """Milliseconds of those that came within it, the shortest first."""
        begin, end = window
        return sorted(1000 * took for at, took in self._firsts if begin < at <= end)

    def ends(self, begin: float, end: float) -> list[float]:
        """Milliseconds from the request to the end of each short run that ended between two times
        of the database's clock, the shortest first."""

        def work(tx: Session) -> list[float]:
            query = select(RunRow.created_at, RunRow.ended_at).where(
                RunRow.owner.in_(OTHERS), RunRow.ended_at > begin, RunRow.ended_at <= end
            )
            return sorted(1000 * ((ended or end) - began) for began, ended in tx.execute(query))

        return self._people.stack.read(work)

    def _ask(self) -> None:
        self._paced(FIRST_TOKEN_EVERY, self._first_token)

    def _first_token(self) -> None:
        took = self._people.first_token()
        self._firsts.append((time.monotonic(), took))

    def _send(self) -> None:
        numbers = count()

        def send() -> None:
            user = OTHERS[next(numbers) % len(OTHERS)]
            pool.submit(self._people.send, user, tokens=RUN_TOKENS, rate=RUN_RATE)

        with ThreadPoolExecutor(8) as pool:
            self._paced(1 / self._per_second, send)

    def _paced(self, every: float, work: Callable[[], None]) -> None:
        next_at = time.monotonic()
        while not self._stopped.wait(max(0.0, next_at - time.monotonic())):
            work()
            next_at = max(next_at + every, time.monotonic() - 1.0)
