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

    def note(self, kind: str, detail: object = "") -> None:
        """A client did this. `detail`: what it sent, for the log; any text."""
        self.counts[kind] += 1
        now = self._clock()
        at, before = self._logged.get(kind, (float("-inf"), 0))
        if now - at >= EVERY:
            count = self.counts[kind]
            self._logged[kind] = (now, count)
            shown = f" last={clean(detail)}" if detail else ""
            log.info("client.fault kind=%s count=%s total=%s%s", kind, count - before, count, shown)


def clean(text: object, most: int = 200) -> str:
    """Text of a client for a log line: printable, on one line, short."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:most])
