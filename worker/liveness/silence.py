"""Decides when silence means that a process has gone deaf. Pure.

Problem: a consumer may lose its broker without noticing (a half-open connection, a reconnect that
did not take all queues with it); a broker that is away makes it just as silent, and is no fault of
the process.
Idea: count only the time in which the broker answers others of this process, and in which somebody
looks: a process that was frozen and wakes up has heard nothing either.
Invariant: while the broker does not answer, nobody goes deaf.
"""

from typing import Final

UNWATCHED: Final = 10.0  # seconds between two looks, beyond which the time does not count


class Silence:
    """How long nothing was heard, though the broker answered. Times are of the monotonic clock."""

    def __init__(self, limit: float, now: float) -> None:
        """`limit`: seconds after which silence is deafness."""
        self._limit = limit
        self._since = now
        self._asked_at = now

    def heard(self, now: float) -> None:
        """Note a sign of life."""
        self._since = max(self._since, now)

    def asked(self, now: float, *, answered: bool) -> None:
        """Note that the broker was asked for something else, and whether it answered."""
        if not answered or now - self._asked_at > UNWATCHED:
            self.heard(now)
        self._asked_at = now

    def seconds(self, now: float) -> float:
        """How long it has lasted."""
        return max(0.0, now - self._since)

    def is_deaf(self, now: float) -> bool:
        """Whether it has lasted too long."""
        return self.seconds(now) > self._limit
