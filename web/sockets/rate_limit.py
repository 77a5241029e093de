"""How many requests per second somebody may make: token buckets. Pure but for the clock."""

import time
from collections import OrderedDict
from collections.abc import Callable

BURST_SECONDS = 10.0  # what was not used for so long may be used at once
KEPT = 50_000  # names; the one that asked longest ago is forgotten first


class RateLimit:
    """One bucket for each name (a socket, an owner, an address)."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = float(per_second)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # used, as of when

    def allows(self, name: str) -> bool:
        """Count one request; False, uncounted, when there are too many."""
        now = self._clock()
        used, since = self._buckets.pop(name, (0.0, now))
        used = max(0.0, used - (now - since) * self._rate)
        is_allowed = used + 1.0 <= self._rate * BURST_SECONDS
        self._buckets[name] = (used + 1.0 if is_allowed else used, now)
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        return is_allowed
