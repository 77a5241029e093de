"""All open streams of a gateway, read by one thread (docs/adr/0017). It knows no bytes.

What a greenlet for each stream would cost for each token: to find nothing, to ask the hub, to be
woken.
"""

import logging
import selectors
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared import runtime

log = logging.getLogger(__name__)

REST = 2  # times the length of a round of that many streams or more: at most a third of the time
FAST, SLOW = 0.5, 1.5  # intervals from one read of a stream to the next: it is busy, it is not
TURN_BYTES = 32_768  # read before others get a turn
RETRY_AFTER = 0.1  # seconds


@dataclass
class _Watched:
    """A stream as the reader knows it."""

    read: Callable[[], int]
    read_at: float = 0.0  # time.monotonic()
    busy: bool = False  # it brings several words in an interval

    def note(self, now: float, interval: float) -> bool:
        """It is read now; whether it is busy."""
        self.busy = now - self.read_at < interval * (SLOW if self.busy else FAST)
        self.read_at = now
        return self.busy


class StreamReader:
    """Its thread lives while there are streams."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds from one round to the next in which words of busy streams gather;
        that of the flushes, since reading more often gains nothing."""
        self._interval = interval
        self._lock = threading.Lock()
        self._selector: selectors.BaseSelector | None = None

    def add(self, sock: Any, read: Callable[[], int]) -> None:
        """From now on call `read` when there is something to read. It must not wait; it returns
        the number of bytes it read."""
        with self._lock:
            if self._selector is None:
                self._selector = runtime.selector()
                threading.Thread(
                    target=self._run, args=(self._selector,), name="streams", daemon=True
                ).start()
            self._selector.register(sock, selectors.EVENT_READ, _Watched(read))

    def remove(self, sock: Any) -> None:
        """Read it no more; harmless when it is not read. To be called before the socket closes."""
        with self._lock:
            if self._selector is not None and sock in self._selector.get_map():
                self._selector.unregister(sock)

    def _run(self, selector: selectors.BaseSelector) -> None:
        while True:
            try:
                runtime.wait_for(selector)
                rest = self._round(selector)
            except Exception:  # the edge of the loop: without it all streams would be deaf
                log.exception("streams.failed")
                rest = RETRY_AFTER
            with self._lock:
                if not selector.get_map():
                    selector.close()
                    self._selector = None
                    return
            time.sleep(rest)

    def _round(self, selector: selectors.BaseSelector) -> float:
        """Read what is there, once; the seconds to rest: none if there is more."""
        began = time.monotonic()
        streams = busy = since = most = 0
        for key, _ in selector.select(0):
            watched: _Watched = key.data
            size = watched.read()
            streams, since, most = streams + 1, since + size, max(most, size)
            busy += watched.note(began, self._interval)
            if since > TURN_BYTES:
                since = 0
                time.sleep(0)
        if most > TURN_BYTES:
            return 0.0
        took = time.monotonic() - began
        left = self._interval - took
        return max(0.0, left if 2 * busy > streams else min(min(REST, streams) * took, left))
