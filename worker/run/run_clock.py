"""The clock of a run's deadline: it stands still while a person is asked (R8)."""

import time

WAITING = "waiting_for_approval"  # a gateway's status


class RunClock:
    """Call `tick` regularly. `began` is monotonic time, `limit` seconds of work."""

    def __init__(self, began: float, limit: float) -> None:
        self._limit = limit
        self._spent = 0.0
        self._last = began

    def tick(self, *, waiting: bool) -> bool:
        """Whether the time is over; the time since the last tick counts unless `waiting`."""
        now = time.monotonic()
        if not waiting:
            self._spent += now - self._last
        self._last = now
        return self._spent > self._limit
