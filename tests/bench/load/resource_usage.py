"""Measures CPU and memory of the processes while a load is read."""

from __future__ import annotations

import time

from tests.bench.load.cpu import Pids, cpu_by_role, memory_by_role

MEMORY_EVERY = 0.5  # seconds
MIN_STEADY = 0.5  # seconds; if the steady part is shorter, the whole load is measured


class ResourceUsage:
    """Create it right before the load starts. `whole`: all of the load counts as steady."""

    def __init__(self, pids: Pids, *, whole: bool) -> None:
        self._pids = pids
        self._whole = whole
        self._first_memory = memory_by_role(pids)
        self._most_memory = dict(self._first_memory)
        self._sampled = time.monotonic()
        now = (time.monotonic(), cpu_by_role(pids))
        self._start, self._begun, self._ended, self._stop = now, now, now, now
        self._one_ended = False

    def all_begun(self) -> None:
        """Every run has shown its first token."""
        self._begun = (time.monotonic(), cpu_by_role(self._pids))

    def one_ended(self) -> None:
        """A run has ended; only the first is of interest."""
        if not self._one_ended:
            self._one_ended = True
            self._ended = (time.monotonic(), cpu_by_role(self._pids))

    def end(self) -> None:
        """All runs have ended."""
        self._stop = (time.monotonic(), cpu_by_role(self._pids))
        if self._whole or self._ended[0] - self._begun[0] < MIN_STEADY:
            self._begun, self._ended = self._start, self._stop

    def sample(self) -> None:
        """Measure the memory, at most every MEMORY_EVERY seconds."""
        if time.monotonic() - self._sampled < MEMORY_EVERY:
            return
        self._sampled = time.monotonic()
        for role, value in memory_by_role(self._pids).items():
            self._most_memory[role] = max(self._most_memory[role], value)

    @property
    def steady(self) -> tuple[float, float]:
        """From when to when, in monotonic seconds."""
        return self._begun[0], self._ended[0]

    def cpu(self) -> dict[str, float]:
        """Seconds per role in the steady part."""
        return {role: self._ended[1][role] - self._begun[1][role] for role in self._ended[1]}

    def memory(self) -> dict[str, int]:
        """Growth per role at its highest, in bytes."""
        return {role: most - self._first_memory[role] for role, most in self._most_memory.items()}
