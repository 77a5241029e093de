"""Busy, leaving, frozen and missing processes: who takes what over, and when."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.servers.processes import RunningProcess, wait_until
from tests.support.servers.stack import Stack

log = logging.getLogger(__name__)

LEASE = 3.0  # seconds
TAKEN_WITHIN = (
    LEASE + 5
)  # seconds from a worker's death to `run.reattached`, of 20 that are allowed


@pytest.fixture(scope="module")
def small() -> Iterator[Stack]:
    """Two workers of two slots each, with short leases, that leave within two seconds."""
    made = Stack(
        workers=2, WORKER_CONCURRENCY=2, LEASE_SECONDS=LEASE, REAP_SECONDS=0.5, DRAIN_SECONDS=2
    )
    try:
        yield made.start()
    finally:
        made.stop()


def wait_for_owner(stack: Stack, run_id: str) -> RunningProcess:
    wait_until(lambda: stack.run_row(run_id).worker, what="a worker has it")
    return stack.owner_of(run_id)


def whole_text(client: SocketClient, run_id: str, tokens: int) -> None:
    """The text is whole and each seq came once, by whatever way."""
    assert client.end(run_id, within=60)["status"] == "completed"
    assert client.text(run_id).split() == numbered(tokens).split()
    seqs = client.seqs(run_id)
    assert seqs == list(range(1, len(seqs) + 1))


def replace(stack: Stack, gone: RunningProcess) -> None:
    stack.workers.remove(gone)
    stack.add_worker()


def test_a_worker_whose_slots_are_taken_still_takes_over_at_once(
    small: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(small)
    runs = [client.run(talk(1200, rate=60), new_session()) for _ in range(4)]
    owners = {run_id: wait_for_owner(small, run_id) for run_id in runs}
    for run_id in runs:
        client.wait_until(lambda r=run_id: client.deltas(r), what="some text")  # type: ignore[misc]
    first, second = small.workers
    assert sorted(o.name for o in owners.values()) == sorted([first.name, second.name] * 2)
    waiting = client.run(talk(5), new_session())
    killed_at = time.monotonic()
    first.kill()
    lost = [run_id for run_id, owner in owners.items() if owner is first]
    for run_id in lost:
        client.wait_for("run.reattached", lambda p, r=run_id: p["run_id"] == r, within=TAKEN_WITHIN)  # type: ignore[misc]
    log.info("measured: seconds to takeover: %.2f", time.monotonic() - killed_at)
    assert all(small.owner_of(run_id) is second for run_id in lost)
    assert not [h for h in client.received if h.name == "run.completed"], "its own runs still go on"
    assert small.run_row(waiting).state == "queued", "takeovers' slots are not for new runs"
    small.workers.remove(first)
    for run_id in runs:
        whole_text(client, run_id, 1200)
    assert_whole(client, waiting, 5)
    small.add_worker()


def test_a_worker_that_wakes_after_its_lease_writes_nothing_more_and_says_so(
    small: Stack, connect: Clients, session_id: str
) -> None:
    client = connect(small)
    run_id = client.run(talk(700, rate=60), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 100, what="some text")
    frozen = small.owner_of(run_id)
    frozen.signal(signal.SIGSTOP)
    client.wait_for("run.reattached", within=TAKEN_WITHIN)
    frozen.signal(signal.SIGCONT)
    frozen.wait_for_log(f"run.lost run_id={run_id}", within=10)
    whole_text(client, run_id, 700)
    assert client.names(run_id).count("run.completed") == 1
    row = small.run_row(run_id)
    assert (row.fence, row.takeovers) == (2, 1)
    assert small.stored_answer(run_id).split() == numbered(700).split()
    assert len(small.posts(run_id)) == 1


def test_workers_are_replaced_under_live_runs_without_a_visible_error(
    small: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(small)
    old = list(small.workers)
    runs = {client.run(talk(tokens, rate=60), new_session()): tokens for tokens in (1000, 1020, 80)}
    for run_id in runs:
        client.wait_until(lambda r=run_id: client.deltas(r), what="some text")  # type: ignore[misc]
    for leaving in old:
        small.add_worker()
        leaving.signal(signal.SIGTERM)
        assert leaving.wait(within=10) == 0
        small.workers.remove(leaving)
        after = client.run(talk(10), new_session())
        assert_whole(client, after, 10)
    for run_id, tokens in runs.items():
        whole_text(client, run_id, tokens)
        assert small.run_row(run_id).takeovers == 0, "leaving is no failure"
        assert len(small.posts(run_id)) == 1
    assert any("run.handed_over" in leaving.log() for leaving in old), "the long runs went on"
    assert not client.all("run.failed")
    assert not client.all("error")


def test_a_worker_that_got_sigterm_claims_nothing_more(
    small: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(small)
    busy = client.run(talk(200, rate=100), new_session())
    leaving = wait_for_owner(small, busy)
    leaving.signal(signal.SIGTERM)
    leaving.wait_for_log("worker.draining")
    others = [client.run(talk(5), new_session()) for _ in range(6)]
    for run_id in others:
        assert_whole(client, run_id, 5)
        assert f"run.claimed run_id={run_id}" not in leaving.log()
    assert client.end(busy)["status"] == "completed"
    assert leaving.wait() == 0
    replace(small, leaving)


def test_an_idle_worker_leaves_at_once(small: Stack) -> None:
    leaving = small.add_worker()
    asked_at = time.monotonic()
    leaving.signal(signal.SIGTERM)
    assert leaving.wait() == 0
    took = time.monotonic() - asked_at
    small.workers.remove(leaving)
    log.info("measured: seconds to exit: %.2f", took)
    assert took < 4.0  # about 1 s on an idle machine; waiting twice for a message took 4.5


def test_without_beat_a_killed_workers_run_is_taken_over_all_the_same(
    small: Stack, connect: Clients, session_id: str
) -> None:
    small.beat.kill()
    client = connect(small)
    run_id = client.run(talk(500, rate=60), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 100, what="some text")
    owner = small.owner_of(run_id)
    killed_at = time.monotonic()
    owner.kill()
    replace(small, owner)
    client.wait_for("run.reattached", within=20)
    log.info("measured: seconds to takeover: %.2f", time.monotonic() - killed_at)
    whole_text(client, run_id, 500)
    assert any("reaper.stood_in" in worker.log() for worker in small.workers)
    small.restart_beat()
