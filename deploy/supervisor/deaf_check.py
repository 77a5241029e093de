"""Finds processes that run and no longer answer, among several that share one address. Pure.

Problem: a process can lose its listener, or hang, and go on living. Which process answers a request
to a shared address, the kernel decides anew for each connection.
Idea: every answer names its process. One that has not been heard of for so many requests in a row
that chance does not explain it is deaf. Its first answer may take as long as a start may take.
Invariant: a process that answers is taken for deaf with a probability below CHANCE; one that is
alone is deaf after LEAST requests without an answer.
"""

import math
from collections.abc import Collection
from typing import Final

CHANCE: Final = 1e-9
LEAST: Final = 10  # requests; a busy machine may be late with some in a row


class DeafCheck:
    """Counts, for each process, the requests since it was heard of."""

    def __init__(self) -> None:
        self._missed: dict[int, int] = {}

    def note(self, pids: Collection[int], starting: Collection[int], heard: int | None) -> set[int]:
        """Count one request to these processes, and return those that are deaf.

        `starting`: those that may not answer yet. `heard`: who answered; None: nobody did; one
        that is not of `pids`: somebody in front of them, who tells nothing about them.
        """
        if heard is not None and heard not in pids:
            self._missed = {}
            return set()
        known = set(pids) & self._missed.keys()
        counted = {pid for pid in pids if pid in known or pid not in starting}
        self._missed = {pid: self._missed.get(pid, 0) + 1 for pid in counted}
        if heard is not None:
            self._missed[heard] = 0
        limit = requests_until_deaf(len(pids))
        return {pid for pid, missed in self._missed.items() if missed >= limit}


def requests_until_deaf(processes: int) -> int:
    """Return after how many requests in a row a process that was not heard of is deaf."""
    if processes < 2:
        return LEAST
    return max(LEAST, math.ceil(math.log(CHANCE) / math.log(1 - 1 / processes)))
