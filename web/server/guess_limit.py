"""How often an address may present a wrong token. Pure but for the clock.

Each network address has `burst` wrong tokens and gets one back every `refill` seconds. Right tokens
cost nothing, so somebody behind the same address is not shut out by their own requests; while the
address is over its limit, tokens are not even compared.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from web.server.door import network_of

KEPT = 10_000  # addresses; the one that guessed longest ago is forgotten first


class GuessLimit:
    """Counts wrong tokens by address."""

    def __init__(
        self, burst: int, refill: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`burst`: wrong tokens at once; `refill`: seconds until one more is allowed."""
        self._burst = burst
        self._refill = refill
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # count, as of when

    def wait(self, address: str) -> float:
        """Seconds for which the address must not try; 0: it may."""
        over = self._now(network_of(address)) - (self._burst - 1)
        return max(0.0, over * self._refill)

    def was_wrong(self, address: str) -> None:
        """A token from this address was wrong."""
        network = network_of(address)
        count = min(self._now(network) + 1.0, float(self._burst))
        self._spent.pop(network, None)
        self._spent[network] = (count, self._clock())
        if len(self._spent) > KEPT:
            self._spent.popitem(last=False)

    def _now(self, network: str) -> float:
        count, since = self._spent.get(network, (0.0, 0.0))
        return max(0.0, count - (self._clock() - since) / self._refill)
