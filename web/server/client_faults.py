"""Counts what clients do wrong, and logs it: one line a second of each kind, never a traceback.

A client's fault is no fault of this process; a flood of them must not fill the log.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two log lines of one kind


class ClientFaults:
    """Kinds are names such as `malformed_packet`; they come from the code, not from clients."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()  # since the start, by kind
        self._clock = clock
        self._logged: dict[str, tuple[float, int]] = {}  # when, and the count then

    def note(self, kind: str) -> bool:
        """A client did this; whether it was logged this time, so that the caller may say more."""
        self.counts[kind] += 1
        now = self._clock()
        at, before = self._logged.get(kind, (float("-inf"), 0))
        is_due = now - at >= EVERY
        if is_due:
            count = self.counts[kind]
            self._logged[kind] = (now, count)
            log.info("client.fault kind=%s count=%s total=%s", kind, count - before, count)
        return is_due
