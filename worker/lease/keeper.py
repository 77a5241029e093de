"""Keeps the leases of this process's runs, whatever the runs do (R12, R13).

Problem: a lease has to be renewed every few seconds, or another worker takes the run over. All runs
of a process are green threads of one hub, so work that blocks the hub would let all leases lapse,
and a query per run would load the database.
Idea: an OS thread, which needs no hub, renews all leases in one statement on its own connection. In
the answer it learns which runs are to stop and which have another owner. It neither logs nor takes
locks (a green lock cannot wake another OS thread): it only sets fields of the `Lease` objects. A
green thread, the watcher, reads these fields and calls the runs.
Invariant: `until` is counted from before the renewal was sent, so this process never trusts a lease
for longer than the database granted it. When the hub is stuck, the renewals end and the leases
lapse, since then nobody here would act on a stop either.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared import runtime
from shared.db.runs.lease import LeaseConnection, Renewed
from shared.service import Service, periodic

log = logging.getLogger(__name__)

HUB_STUCK = 5.0  # seconds since the hub last ran the watcher
WATCH = 0.25  # seconds between rounds of the watcher
JOIN_WITHIN = 5.0  # seconds; a renewal may wait for the database that long


@dataclass
class Lease:
    """One run's lease. `until` is this machine's monotonic clock, from before the renewal.

    `last_seq` is called in the renewer's OS thread; `on_stop` and `on_lost` in a green one, each at
    most once.
    """

    run_id: str
    fence: int
    until: float
    last_seq: Callable[[], int]
    on_stop: Callable[[], None]
    on_lost: Callable[[], None]
    stop_requested: bool = False
    lost: bool = False
    notified: set[str] = field(default_factory=set)

    def remaining(self) -> float:
        """Return the seconds for which no other worker may take the run."""
        return self.until - time.monotonic()


class LeaseKeeper:
    """Renews leases from `hold` to `release`. One per process."""

    def __init__(self, connect: Callable[[], LeaseConnection], lease: timedelta, every: timedelta):
        self._connect = connect
        self._seconds = lease.total_seconds()
        self._every = every.total_seconds()
        self._leases: dict[str, Lease] = {}
        self._hub_seen = time.monotonic()
        self._failures = 0
        self._failures_logged = 0
        self._watcher: Service = periodic("lease-watcher", self._watch, WATCH)
        self._renewer: Any = None
        self._stopped = runtime.native_event()

    def start(self) -> None:
        """Begin to renew. A second call, or one after `stop`, does nothing."""
        if self._renewer is not None or self._stopped.is_set():
            return
        self._watcher.start()
        self._renewer = runtime.native_thread(self._renew_until_stopped, "lease-renewer")

    def stop(self) -> None:
        """End both threads and wait for them; leases that are still held lapse. May come twice."""
        self._stopped.set()
        self._watcher.stop()
        if self._renewer is None:
            return
        runtime.offload(self._renewer.join, JOIN_WITHIN)
        if self._renewer.is_alive():
            log.warning("lease.renewer_not_joined within=%.1f", JOIN_WITHIN)

    @property
    def healthy(self) -> bool:
        """Whether both threads live. True before `start` and after `stop`."""
        return self._watcher.healthy and (
            self._renewer is None or self._stopped.is_set() or self._renewer.is_alive()
        )

    def hold(self, lease: Lease) -> None:
        """Renew this lease from now on. An earlier one of the same run is lost: it lapsed, and this
        process was the one that took the run over."""
        earlier = self._leases.get(lease.run_id)
        self._leases[lease.run_id] = lease
        if earlier is not None:
            earlier.lost = True
            earlier.on_lost()

    def release(self, lease: Lease) -> None:
        """Stop renewing this lease. A later one of the same run is still renewed."""
        if self._leases.get(lease.run_id) is lease:
            del self._leases[lease.run_id]

    def held(self) -> list[Lease]:
        """Return the leases that are being renewed."""
        return list(self._leases.values())

    # -- in the OS thread ------------------------------------------------------------------------

    def _renew_until_stopped(self) -> None:
        connection: LeaseConnection | None = None
        while not self._stopped.wait(self._every):
            if time.monotonic() - self._hub_seen > HUB_STUCK:
                continue
            try:
                connection = connection or self._connect()
                self._renew(connection)
                self._failures = 0
            except Exception:  # noqa: BLE001 - the edge of the thread; the watcher logs it
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
            self._record(lease, renewed.get(lease.run_id), before)

    def _record(self, lease: Lease, renewed: Renewed | None, before: float) -> None:
        """Write the result of a renewal that was sent at `before` into the lease."""
        if renewed is None:
            lease.lost = True
        else:
            lease.until = before + self._seconds
            lease.stop_requested = lease.stop_requested or renewed.stop_requested

    # -- in the green hub ------------------------------------------------------------------------

    def _watch(self) -> None:
        self._hub_seen = time.monotonic()
        if self._failures and self._failures != self._failures_logged:
            log.warning("lease.renewal_failed times=%s", self._failures)
        self._failures_logged = self._failures
        for lease in self.held():
            self._notify(lease)

    def _notify(self, lease: Lease) -> None:
        """Call the run about what its renewals found, once each, as long as its lease is held."""
        for name, happened, notify in (
            ("lost", lease.lost, lease.on_lost),
            ("stop", lease.stop_requested, lease.on_stop),
        ):
            if happened and name not in lease.notified and self._leases.get(lease.run_id) is lease:
                lease.notified.add(name)
                notify()


def _close(connection: LeaseConnection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except Exception:  # noqa: BLE001 - it is broken already, and this thread must not log
            return
