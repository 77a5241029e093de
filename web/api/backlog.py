"""Refuses new runs while as many wait, of all users together, as may wait (`WAITING_MAX`)."""

import time
from collections.abc import Callable
from typing import Final

from shared.db.database import Database
from shared.db.runs.queue.admission import count_waiting
from shared.errors import Overloaded

COUNT_EVERY: Final = 2.0  # seconds: counting for each request would cost more than it saves


class Backlog:
    """The number of waiting runs, as it was at most COUNT_EVERY seconds ago."""

    def __init__(
        self, db: Database, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`most`: 0 for any number."""
        self._db = db
        self._most = most
        self._clock = clock
        self._counted_at = -COUNT_EVERY
        self._is_full = False

    def require_room(self) -> None:
        """Raise Overloaded if as many runs wait as may wait; DatabaseUnavailable."""
        now = self._clock()
        if self._most and now - self._counted_at >= COUNT_EVERY:
            self._counted_at = now  # others that ask meanwhile do not count as well
            counted = self._db.read(lambda tx: count_waiting(tx, self._most))
            self._is_full = counted >= self._most
        if self._is_full:
            raise Overloaded
