"""Leases are renewed whatever the runs do, and a run that lost its lease is notified (R12, R13)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.db.runs.lease import Renewed
from shared.runtime import GREEN
from tests.support.servers.processes import wait_until
from worker.lease import keeper
from worker.lease.keeper import Lease, LeaseKeeper

LEASE = 5.0


class Rows:
    """A database in which this worker owns these runs; it fails while `away` is set."""

    def __init__(self, *ours: str, stopped: Sequence[str] = ()) -> None:
        self.ours = set(ours)
        self.stopped = set(stopped)
        self.away = False
        self.slow = 0.0
        self.connections = self.closed = 0
        self.statements: list[list[str]] = []

    def connect(self) -> Rows:
        self.connections += 1
        return self

    def renew(self, wanted: Sequence[tuple[str, int, int]], seconds: float) -> list[Renewed]:
        if self.away:
            raise OSError("away")
        time.sleep(self.slow)
        self.statements.append([run_id for run_id, _, _ in wanted])
        return [Renewed(r, r in self.stopped) for r, _, _ in wanted if r in self.ours]

    def close(self) -> None:
        self.closed += 1


class Held:
    """A started keeper of these leases, and the calls that it made to their runs."""

    def __init__(self, rows: Rows, *run_ids: str) -> None:
        self.calls: list[tuple[str, str]] = []
        self.keeper = LeaseKeeper(rows.connect, timedelta(seconds=LEASE), timedelta(seconds=0.05))
        for run_id in run_ids:
            self.keeper.hold(self._lease(run_id))
        self.keeper.start()

    def _lease(self, run_id: str) -> Lease:
        return Lease(
            run_id,
            fence=1,
            until=time.monotonic() + LEASE,
            last_seq=lambda: 0,
            on_stop=lambda: self.calls.append((run_id, "stop")),
            on_lost=lambda: self.calls.append((run_id, "lost")),
        )

    def lease(self, run_id: str) -> Lease:
        return next(lease for lease in self.keeper.held() if lease.run_id == run_id)


def test_all_runs_are_renewed_in_one_statement_and_each_is_notified_once() -> None:
    rows = Rows("ours", "stopped", stopped=["stopped"])
    held = Held(rows, "ours", "stopped", "taken")
    wait_until(lambda: len(held.calls) >= 2, what="both are notified")
    wait_until(lambda: len(rows.statements) > 8, what="more renewals")
    held.keeper.stop()
    assert sorted(held.calls) == [("stopped", "stop"), ("taken", "lost")], "each once"
    assert rows.statements[0] == ["ours", "stopped", "taken"]
    assert held.lease("ours").remaining() > LEASE - 1


def test_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    rows = Rows("ours")
    rows.slow = 0.5
    held = Held(rows, "ours")
    wait_until(lambda: rows.statements, what="a renewal")
    time.sleep(0.1)
    assert held.lease("ours").remaining() <= LEASE - 0.5
    held.keeper.stop()


def test_a_later_lease_of_a_run_takes_the_place_of_an_earlier_one() -> None:
    rows = Rows("ours")
    held = Held(rows, "ours")
    earlier = held.lease("ours")
    later = replace(earlier, fence=2, notified=set())
    held.keeper.hold(later)
    assert (earlier.lost, later.lost, held.calls) == (True, False, [("ours", "lost")])
    held.keeper.release(earlier)
    assert held.keeper.held() == [later]
    held.keeper.release(later)
    held.keeper.stop()
    assert (held.keeper.held(), held.calls) == ([], [("ours", "lost")])


def test_a_database_that_is_away_loses_no_run_and_is_connected_to_anew() -> None:
    rows = Rows("ours")
    held = Held(rows, "ours")
    wait_until(lambda: rows.statements, what="a renewal")
    rows.away = True
    wait_until(lambda: rows.connections > 2, what="it tries again, on new connections")
    rows.away = False
    known = len(rows.statements)
    wait_until(lambda: len(rows.statements) > known, what="renewals go on")
    held.keeper.stop()
    assert held.calls == []


BLOCKED_HUB = """
from time import sleep as block  # before it is green
from shared import runtime
runtime.patch()
import time
from tests.integration.worker.lease.test_keeper import Held, Rows
from worker.lease import keeper
keeper.HUB_STUCK = 1.0
rows = Rows("ours")
held = Held(rows, "ours")
time.sleep(0.5)
before = len(rows.statements)
block(0.9)
assert len(rows.statements) > before + 5, "renewed while the hub stood still"
block(1.0)
stuck = len(rows.statements)
block(1.0)
assert len(rows.statements) <= stuck + 1, "not for a hub that is stuck: no stop would be acted on"
time.sleep(0.6)
assert len(rows.statements) > stuck + 1, "and again when it moves"
held.keeper.stop()
assert not held.keeper._renewer.is_alive(), "stop waited for the OS thread"
print("fine")
"""


@pytest.mark.parametrize("library", sorted(GREEN))
def test_a_blocked_hub_does_not_starve_the_renewal_and_a_stuck_one_ends_it(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED_HUB],
        env={**os.environ, "RUNTIME": library},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr


def test_a_released_lease_is_renewed_no_more() -> None:
    rows = Rows("ours")
    held = Held(rows, "ours", "other")
    wait_until(lambda: rows.statements, what="a renewal")
    held.keeper.release(held.lease("ours"))
    known = len(rows.statements)
    wait_until(lambda: len(rows.statements) > known + 2, what="more renewals")
    held.keeper.stop()
    assert rows.statements[-1] == ["other"]


def test_it_starts_once_and_stop_waits_for_both_threads_and_may_come_twice() -> None:
    rows = Rows("ours")
    held = Held(rows, "ours")
    renewer = held.keeper._renewer
    held.keeper.start()
    assert held.keeper._renewer is renewer
    wait_until(lambda: rows.statements, what="a renewal")
    held.keeper.stop()
    held.keeper.stop()
    held.keeper.start()
    assert held.keeper._renewer is renewer, "one that was stopped does not start again"
    assert not renewer.is_alive()
    assert rows.closed == rows.connections
    assert "lease-watcher" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "WATCH", 0.05)
