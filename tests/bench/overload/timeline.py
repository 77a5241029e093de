"""What happened in each second of a scenario, sampled while it runs.

Problem: figures of a whole minute hide what a moment of it was like, and looking must not change
them. Idea: once a second a thread asks the database for two numbers and Redis for one; gaps and
first tokens are those that the scenario measures anyway, put into the seconds in which they came.
How long the looks took is kept with the samples.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDS, WAITING, MESSAGES = "ends/s", "waiting runs", "messages in the queue"
GAP, FIRST = "token gap p99, ms", "first token of another user, s"
NAMES = (ENDS, WAITING, MESSAGES, GAP, FIRST)

Series = dict[str, list[float | None]]  # name -> a value for each second, None: nothing happened
Look = Callable[[], tuple[int, int, int]]  # runs that have ended, that wait, messages


class Timeline:
    """Of one scenario: `watching` around it, `phase` within; then `series`."""

    def __init__(self) -> None:
        self.phases: list[tuple[int, str]] = []
        self._began = time.monotonic()
        self._looks: list[tuple[float, float, tuple[int, int, int]]] = []  # when, how long, what
        self._gaps: list[tuple[float, float]] = []
        self._firsts: list[tuple[float, float]] = []
        self._over = threading.Event()

    @contextmanager
    def watching(self, look: Look) -> Iterator[None]:
        """Look once a second. A look that fails, as at the end of a stack, is left out."""
        self._began = time.monotonic()
        thread = threading.Thread(target=self._watch, args=(look,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(10)

    def phase(self, name: str) -> None:
        """Another part of the scenario begins."""
        self.phases.append((int(time.monotonic() - self._began), name))

    def gap(self, came: float, seconds: float) -> None:
        """A token of a live run came at the moment `came` and so long after the one before."""
        self._gaps.append((came, seconds))

    def first_token(self, sent: float, seconds: float) -> None:
        """Another user's run was sent at the moment `sent` and waited so long."""
        self._firsts.append((sent, seconds))

    def look_ms(self) -> float:
        """What a look takes, on average: it is the cost of sampling, once a second."""
        took = [seconds for _, seconds, _ in self._looks]
        return round(1000 * sum(took) / len(took), 1) if took else 0.0

    def series(self) -> Series:
        """All samples by name."""
        if not self._looks:
            return {}
        seconds = int(self._looks[-1][0]) + 1
        found: Series = {name: [None] * seconds for name in NAMES}
        for before, look in zip(self._looks, self._looks[1:], strict=False):
            second, passed = int(look[0]), look[0] - before[0]
            found[ENDS][second] = round((look[2][0] - before[2][0]) / passed, 2)
        for moment, _, (_, waiting, messages) in self._looks:
            found[WAITING][int(moment)], found[MESSAGES][int(moment)] = waiting, messages
        for second, values in self._by_second(self._gaps).items():
            if second < seconds:
                values.sort()
                found[GAP][second] = round(1000 * values[int(len(values) * 0.99)], 1)
        for second, values in self._by_second(self._firsts).items():
            if second < seconds:
                found[FIRST][second] = round(max(values), 3)
        return found

    def _watch(self, look: Look) -> None:
        due = self._began
        while not self._over.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            try:
                seen = look()
            except Exception:  # noqa: BLE001 - a second without a sample
                seen = None
            if seen is not None:
                self._looks.append((began - self._began, time.monotonic() - began, seen))
            due = max(due + 1.0, time.monotonic())

    def _by_second(self, events: list[tuple[float, float]]) -> dict[int, list[float]]:
        found: dict[int, list[float]] = defaultdict(list)
        for moment, value in list(events):
            if moment >= self._began:
                found[int(moment - self._began)].append(value)
        return found
