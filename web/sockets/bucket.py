"""How much one connection may send: a bucket that it is taken from. Pure but for the clock."""

import time


class Bucket:
    """Holds what is free: `burst` at most, and `rate` more each second."""

    __slots__ = ("_at", "_burst", "_free", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._free = burst
        self._at = 0.0  # time.monotonic() of `_free`

    def widen(self, rate: float, burst: float) -> None:
        """Allow so much from now on."""
        self._free += burst - self._burst
        self._rate, self._burst = rate, burst

    def take(self, count: int) -> float:
        """Take that many; how many seconds to wait until what was taken too much is free again."""
        now = time.monotonic()
        self._free = min(self._burst, self._free + (now - self._at) * self._rate) - count
        self._at = now
        return max(0.0, -self._free / self._rate)
