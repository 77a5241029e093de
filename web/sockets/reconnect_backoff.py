"""Makes slow sockets wait when they come back at once: longer each time, and spread (R31)."""

import random
import threading
import time
from collections.abc import Iterable

FIRST, MOST = 0.25, 5.0  # seconds
RESET_AFTER = 60.0  # seconds without a slow socket, and a session is like any other again
SESSIONS_MAX = 1000


class ReconnectBackoff:
    """Counts slow sockets by session. What a slow socket is sent on its return is what it could not
    take before: without a pause it would be closed, and would come back, as fast as it can."""

    def __init__(self) -> None:
        self._closed: dict[
            str, tuple[int, float]
        ] = {}  # tag -> how many in a row, and when the last
        self._lock = threading.Lock()

    def closed_slow(self, tags: Iterable[str]) -> None:
        """A socket that watched these sessions was closed, since it was too slow."""
        now = time.monotonic()
        with self._lock:
            for tag in tags:
                count, _ = self._closed.pop(tag, (0, now))
                self._closed[tag] = (count + 1, now)
            while len(self._closed) > SESSIONS_MAX:
                del self._closed[next(iter(self._closed))]

    def pause(self, tag: str) -> float:
        """Seconds for which a `resume` of this session is to wait now."""
        with self._lock:
            count, last = self._closed.get(tag, (0, 0.0))
            since = time.monotonic() - last
            if count and since > RESET_AFTER:
                del self._closed[tag]
                return 0.0
        if not count:
            return 0.0
        return max(0.0, random.uniform(0.5, 1.0) * min(MOST, FIRST * 2.0 ** (count - 1)) - since)

    def wait(self, tag: str) -> None:
        """Wait for that pause."""
        pause = self.pause(tag)
        if pause:
            time.sleep(pause)
