"""How many requests per second somebody may make: token buckets. Pure but for the clock."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import ClientError

BURST_SECONDS = 10.0  # what was not used for so long may be used at once
KEPT = 50_000  # names; the one that asked longest ago is forgotten first


class TooManyRequests(ClientError):
    """Too many requests; wait for answers, or a second, before sending more."""

    code = "too_many_requests"

    def __init__(self, retry_after: float = 1.0) -> None:
        """`retry_after`: seconds until the next one is allowed."""
        super().__init__()
        self.retry_after = retry_after


@dataclass(frozen=True)
class Budget:
    """What is left of a limit: `limit` requests at most at once, `remaining` of them now, all again
    in `reset` seconds, and one in `wait` seconds (0: now)."""

    limit: int
    remaining: int
    reset: float
    wait: float


class RateLimit:
    """One bucket for each name (a socket, an owner, an address)."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = float(per_second)
        self._most = self.per_second * BURST_SECONDS
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # used, as of when

    def allows(self, name: str) -> bool:
        """Count one request; False, uncounted, when there are too many."""
        now = self._clock()
        used = self._used(name, now)
        is_allowed = used + 1.0 <= self._most
        self._buckets[name] = (used + 1.0 if is_allowed else used, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        return is_allowed

    def require(self, name: str) -> None:
        """Count one request. Raises TooManyRequests, uncounted, when there are too many."""
        if not self.allows(name):
            raise TooManyRequests(self.budget(name).wait)

    def budget(self, name: str) -> Budget:
        """What this name has left; counts nothing."""
        used = self._used(name, self._clock())
        free = self._most - used
        return Budget(
            limit=math.floor(self._most),
            remaining=math.floor(free),
            reset=used / self.per_second,
            wait=max(0.0, 1.0 - free) / self.per_second,
        )

    def _used(self, name: str, now: float) -> float:
        used, since = self._buckets.get(name, (0.0, now))
        return max(0.0, used - (now - since) * self.per_second)


@dataclass(frozen=True)
class OwnerLimits:
    """What one owner may send to this process: `requests` by sockets and over HTTP together, and of
    them `starts`, which are those that start runs or sign in, over HTTP alone."""

    requests: RateLimit
    starts: RateLimit
