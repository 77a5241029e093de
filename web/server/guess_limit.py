"""Which addresses have presented many wrong tokens of late. Pure but for the clock.

Each network address may present `burst` wrong tokens and gets one back every `refill` seconds. The
refusals of one that is over its limit are delayed, the more of them wait, the longer: guesses side
by side are no faster than one after the other. Right tokens are always accepted at once, so
somebody behind the same address (a proxy, a company) is not shut out by somebody else's guesses.

A refusal that waits holds its thread and its request, so only so many wait at once; further ones
are sent at once. That helps nobody to guess: who does not read the refusals need not wait for them.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from web.server.connection_table import network_of

DELAY = 1.0  # seconds for each refusal that waits
LONGEST_DELAY = 5.0
WAITING_MOST = 128  # refusals of all addresses; each holds 40 to 50 KB
KEPT = 10_000  # addresses; the one that guessed longest ago is forgotten first


class GuessLimit:
    """Counts wrong tokens by address."""

    def __init__(
        self,
        burst: int,
        refill: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`burst`: wrong tokens at once; `refill`: seconds until one more is free."""
        self._burst = burst
        self._refill = refill
        self._clock = clock
        self._sleep = sleep
        self._waiting: Counter[str] = Counter()  # refusals that are being delayed
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # count, as of when

    def delay(self, address: str) -> bool:
        """Count a wrong token from this address, and wait if it is one too many and not too many
        wait already; whether it is one too many."""
        if not self.is_over(address):
            return False
        if self._waiting.total() >= WAITING_MOST:
            return True
        network = network_of(address)
        self._waiting[network] += 1
        try:
            self._sleep(min(self._waiting[network] * DELAY, LONGEST_DELAY))
        finally:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]
        return True

    def seconds_until_free(self, address: str) -> float:
        """How long this address has to wait until one more wrong token is not one too many."""
        count, since = self._spent.get(network_of(address), (0.0, 0.0))
        excess = count - (self._burst - 1)
        return max(0.0, excess * self._refill - (self._clock() - since))

    def is_over(self, address: str) -> bool:
        """Count a wrong token from this address; whether it is one too many."""
        network = network_of(address)
        count, since = self._spent.pop(network, (0.0, 0.0))
        now = self._clock()
        count = max(0.0, count - (now - since) / self._refill) + 1.0
        self._spent[network] = (min(count, float(self._burst + 1)), now)
        if len(self._spent) > KEPT:
            self._spent.popitem(last=False)
        return count > self._burst
