"""Lets few runs start at a time, and none while leases are late: what lives goes before what waits.

Problem: with two hundred free slots, two hundred claims would queue for the database, and the
renewals, aborts and ends of live runs behind them. Idea: a claim passes this gate first. Few are
inside at a time, so whatever else needs the database waits for so many at most; and while leases
of this process are not renewed in time, none gets in.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from worker.lease.keeper import LeaseKeeper

log = logging.getLogger(__name__)

AT_ONCE: Final = 4  # claims; fewer than the database's pool has connections
LATE: Final = 0.5  # of a lease: two renewals have failed when so little of it is left
LOOK_EVERY: Final = 0.2  # seconds
WAIT_MOST: Final = 30.0  # seconds; then the claim goes on all the same, as the load may be ours


class StartGate:
    """One per process."""

    def __init__(self, leases: LeaseKeeper, lease: float, *, at_once: int = AT_ONCE) -> None:
        """`lease`: seconds."""
        self._leases = leases
        self._late = LATE * lease
        self._places = threading.BoundedSemaphore(at_once)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait until one more run may be claimed, and claim it inside."""
        with self._places:
            if self._is_late():
                self._wait()
            yield

    def _wait(self) -> None:
        log.info("starts.held_back reason=late_leases")
        deadline = time.monotonic() + WAIT_MOST
        while self._is_late() and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)

    def _is_late(self) -> bool:
        """Whether a lease of this process was not renewed for too long; lost ones do not count."""
        return any(
            lease.remaining() < self._late for lease in self._leases.held() if not lease.lost
        )
