"""How often a stream is read: no more often than logs are flushed, and in turns (ADR 0014)."""

import time

TURN_BYTES = 32_768  # read at once before others get a turn


class Pace:
    """Told of each read; it lets time pass where that costs nobody a word."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between flushes."""
        self._interval = interval
        self._rested = 0.0  # monotonic
        self._bytes = 0

    def after(self, size: int, *, waited: bool) -> None:
        """A read of `size` bytes was handled; `waited`: they were not there when it began.

        Who waited has caught up with the gateway: if that was only a moment ago, more than one
        event comes within a flush, and they can gather. Who did not wait reads on, in turns.
        """
        self._bytes += size
        if waited:
            self._rest(self._interval - (time.monotonic() - self._rested))
        elif self._bytes > TURN_BYTES:
            self._rest(0)

    def _rest(self, seconds: float) -> None:
        self._bytes = 0
        if seconds >= 0:
            time.sleep(seconds)
        self._rested = time.monotonic()
