"""Slow sockets that come back at once: the next look waits, longer each time, spread (R31)."""

import random
import threading
import time
from collections.abc import Iterable

FIRST, MOST = 0.25, 5.0  # seconds
FORGET = 60.0  # seconds without a drop, and a session is like any other again
KEPT = 1000  # sessions


class ReconnectBackoff:
    """Counts drops by session. What a slow socket is sent on its return is what it could not take
    before, so without a pause it would be dropped, and would come back, as fast as it can."""

    def __init__(self) -> None:
        self._drops: dict[str, tuple[int, float]] = {}  # tag -> how many in a row, the last at
        self._lock = threading.Lock()

    def dropped(self, tags: Iterable[str]) -> None:
        """A socket that watched these sessions was closed, since it was too slow."""
        now = time.monotonic()
        with self._lock:
            for tag in tags:
                count, _ = self._drops.pop(tag, (0, now))
                self._drops[tag] = (count + 1, now)
            while len(self._drops) > KEPT:
                del self._drops[next(iter(self._drops))]

    def pause(self, tag: str) -> float:
        """Seconds that a look at this session is to wait now."""
        with self._lock:
            count, last = self._drops.get(tag, (0, 0.0))
            since = time.monotonic() - last
            if count and since > FORGET:
                del self._drops[tag]
                return 0.0
        if not count:
            return 0.0
        return max(0.0, random.uniform(0.5, 1.0) * min(MOST, FIRST * 2.0 ** (count - 1)) - since)

    def wait(self, tag: str) -> None:
        """Wait as long as that."""
        pause = self.pause(tag)
        if pause:
            time.sleep(pause)
