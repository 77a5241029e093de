"""RUNTIME=gevent in short: `make test-runtimes` has the whole of this folder with it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module")
def green() -> Iterator[Stack]:
    """Two web processes and two workers with short leases, on gevent."""
    made = Stack(web=2, workers=2, LEASE_SECONDS=3, REAP_SECONDS=0.5, RUNTIME="gevent")
    try:
        yield made.start()
        assert made.accidents() == [], "an error that nobody planned"
    finally:
        made.stop()


def test_the_processes_say_what_they_run_on(green: Stack) -> None:
    assert all("runtime=gevent" in process.log() for process in green.web)


def test_a_killed_worker_loses_no_word_and_its_run_ends_once(
    green: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(green)
    run_id = client.run(talk(300, rate=100), new_session())
    client.wait_until(lambda: len(client.deltas(run_id)) > 100, what="some text")
    owner = green.owner_of(run_id)
    owner.kill()
    green.workers.remove(owner)
    client.end(run_id, within=30)
    assert client.text(run_id) == numbered(300)
    assert len(green.posts(run_id)) == 1
    green.add_worker()


def test_processes_that_get_sigterm_serve_to_the_end(
    green: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(green)
    run_id = client.run(talk(200, rate=100), new_session())
    client.wait_until(lambda: len(client.deltas(run_id)) > 50, what="some text")
    owner = green.owner_of(run_id)
    owner.signal(signal.SIGTERM)
    owner.wait_for_log("worker.draining")
    assert_whole(client, run_id, 200)
    assert owner.wait(within=20) == 0
    green.workers.remove(owner)
    green.add_worker()
    for number in range(2):
        green.end_web(number, signal.SIGTERM)
        assert green.web[number].returncode == 0
        green.start_web(number)
    later = connect(green)
    assert_whole(later, later.run(talk(20), new_session()), 20)


def test_a_stop_and_many_runs_at_once(
    green: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(green)
    stopped = client.run(talk(3000, rate=100), session_id := new_session())
    others = [client.run(talk(40, rate=100), new_session()) for _ in range(20)]
    client.wait_until(lambda: client.deltas(stopped), what="some text")
    assert client.abort(session_id)["ok"]
    assert client.end(stopped)["status"] == "aborted"
    for run_id in others:
        assert_whole(client, run_id, 40)
