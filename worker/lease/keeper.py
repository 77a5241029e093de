"""Keeps the leases of this process's runs, whatever the runs do (R12, R13).

An OS thread with its own connection renews all of them in one statement, and learns in the same
answer which runs are to stop and which are lost. It neither logs nor takes locks: a green watcher
looks at what it left behind and tells the runs. It stops renewing when the green hub is stuck,
since then nobody would act on a stop either.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared import runtime
from shared.db.runs.lease import LeaseConnection, Renewed

log = logging.getLogger(__name__)

HUB_STUCK = 5.0  # seconds without a tick of the green hub
WATCH = 0.25  # seconds between looks at what the renewer left


@dataclass
class Lease:
    """One run's lease. `until` is this machine's monotonic clock, from before the renewal."""

    run_id: str
    fence: int
    until: float
    last_seq: Callable[[], int]
    on_stop: Callable[[], None]
    on_lost: Callable[[], None]
    stop: bool = False
    lost: bool = False
    told: set[str] = field(default_factory=set)

    def remaining(self) -> float:
        """Seconds for which nobody else may take the run."""
        return self.until - time.monotonic()


class LeaseKeeper:
    """Renews leases from `hold` to `release`. One per process."""

    def __init__(self, connect: Callable[[], LeaseConnection], lease: timedelta, every: timedelta):
        self._connect = connect
        self._seconds = lease.total_seconds()
        self._every = every.total_seconds()
        self._leases: dict[str, Lease] = {}
        self._tick = time.monotonic()
        self._stopped = runtime.native_event()
        self._failures = 0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="lease-watcher", daemon=True)
        self._renewer: Any = None

    def start(self) -> None:
        """Begin to renew."""
        self._watcher.start()
        self._renewer = runtime.native_thread(self._renew_for_ever, "lease-renewer")

    def stop(self) -> None:
        """End both threads; leases that are still held lapse."""
        self._stopped.set()
        self._done.set()

    def hold(self, lease: Lease) -> None:
        """Renew this lease from now on."""
        self._leases[lease.run_id] = lease

    def release(self, run_id: str) -> None:
        """Renew it no more."""
        self._leases.pop(run_id, None)

    def held(self) -> list[Lease]:
        """The leases that are being renewed."""
        return list(self._leases.values())

    # -- in the OS thread ------------------------------------------------------------------------

    def _renew_for_ever(self) -> None:
        connection: LeaseConnection | None = None
        while not self._stopped.wait(self._every):
            if time.monotonic() - self._tick > HUB_STUCK:
                continue
            try:
                connection = connection or self._connect()
                self._renew(connection)
                self._failures = 0
            except Exception:  # noqa: BLE001 - the edge of the thread; the watcher reports it
                self._failures += 1
                _close(connection)
                connection = None
        _close(connection)

    def _renew(self, connection: LeaseConnection) -> None:
        leases = self.held()
        if not leases:
            return
        before = time.monotonic()
        wanted = [(lease.run_id, lease.fence, lease.last_seq()) for lease in leases]
        renewed = {row.run_id: row for row in connection.renew(wanted, self._seconds)}
        for lease in leases:
            self._note(lease, renewed.get(lease.run_id), before)

    def _note(self, lease: Lease, renewed: Renewed | None, before: float) -> None:
        if renewed is None:
            lease.lost = True
        else:
            lease.until = before + self._seconds
            lease.stop = lease.stop or renewed.stop_requested

    # -- in the green hub ------------------------------------------------------------------------

    def _watch(self) -> None:
        reported = 0
        while not self._done.wait(WATCH):
            self._tick = time.monotonic()
            if self._failures and self._failures != reported:
                log.warning("lease.renewal_failed times=%s", self._failures)
            reported = self._failures
            self._tell_all()

    def _tell_all(self) -> None:
        """Apart from the loop, whose variables would keep the last lease, and its log, alive."""
        for lease in self.held():
            self._tell(lease)

    def _tell(self, lease: Lease) -> None:
        for name, happened, act in (
            ("lost", lease.lost, lease.on_lost),
            ("stop", lease.stop, lease.on_stop),
        ):
            if happened and name not in lease.told and self._leases.get(lease.run_id) is lease:
                lease.told.add(name)
                act()


def _close(connection: LeaseConnection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except Exception:  # noqa: BLE001 - it is broken already, and nobody here to tell
            return
