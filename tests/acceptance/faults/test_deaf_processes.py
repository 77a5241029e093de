"""Workers after faults of the broker: none stays deaf, and probes tell what is true."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from shared.probes.pulse import ASK_EVERY
from shared.probes.reading import Said, processes
from shared.settings import Settings
from shared.task_queue import RUNS, celery_app
from tests.acceptance.answers import assert_whole, talk
from tests.acceptance.conftest import Clients
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack
from tests.support.servers.tcp_proxy import TcpProxy
from worker.liveness.watchdog import LATELY

log = logging.getLogger(__name__)

# DEAF_RESTARTS=20 for the long version.
RESTARTS = int(os.environ.get("DEAF_RESTARTS", "2"))
BACK_WITHIN = 90.0  # seconds, on a busy machine: 20 until deafness is found, and a start
FULL_FOR = 4.0  # seconds: all that Celery does by itself comes round in it
ROLES = ["beat", "maintenance", "web", "worker", "worker"]


@pytest.fixture(scope="module")
def proxied() -> Iterator[tuple[Stack, TcpProxy]]:
    """Two workers, and a proxy between all roles and Redis."""
    made = Stack(workers=2, DRAIN_SECONDS=2)
    proxy = TcpProxy(made.redis.port)
    url = made.redis.url.replace(f":{made.redis.port}", f":{proxy.port}")
    made.environment["REDIS_URL"] = url
    try:
        made.start()
        yield made, proxy
    finally:
        made.stop()
        proxy.stop()


def said(stack: Stack, role: str = "") -> list[Said]:
    return processes(stack.folder, role)


def all_ready(stack: Stack) -> bool:
    found = said(stack)
    return sorted(one.role for one in found) == ROLES and not any(one.ready for one in found)


def wait_until_ready(stack: Stack) -> float:
    """Wait until all roles have been ready for so long that each must have heard a message of its
    own since; the seconds until they were. One that has ended is started again, as by a supervisor.
    A failure says which is not ready, and what it wrote."""
    began = time.monotonic()
    since = [began]

    def steady() -> bool:
        if stack.revive() or not all_ready(stack):
            since[0] = time.monotonic()
        return time.monotonic() - since[0] > LATELY + ASK_EVERY + 1

    try:
        wait_until(steady, within=BACK_WITHIN, what="all ready", every=0.2)
    except AssertionError:
        raise AssertionError(f"{said(stack)}\n{stack.logs()}") from None
    return since[0] - began


def all_unready(stack: Stack) -> bool:
    return all(one.ready for one in said(stack))


def probe(stack: Stack, *arguments: str) -> int:
    """The exit code of `holdfast probe`."""
    command = [sys.executable, "-m", "deploy.cli", "probe", *arguments]
    environment = {**os.environ, "HOLDFAST_HOME": str(stack.folder)}
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode


@pytest.mark.timeout(180 + 150 * RESTARTS)
def test_after_each_fault_of_redis_all_hear_again_and_meanwhile_they_live(
    proxied: tuple[Stack, TcpProxy], connect: Clients, new_session: Callable[[], str]
) -> None:
    stack, proxy = proxied
    wait_until_ready(stack)
    assert probe(stack, "ready") == 0
    took = []
    for number in range(RESTARTS):
        if number % 2:
            proxy.swallow()  # what is open falls silent, new connections work
        else:
            stack.redis.kill()
            wait_until(lambda: all_unready(stack), within=60, what="all noticed")
            assert probe(stack, "live") == 0
            assert probe(stack, "ready", "worker") == 1
            stack.redis.restart()
        took.append(wait_until_ready(stack))
    log.info("seconds until all were ready again: %s", [round(seconds, 1) for seconds in took])
    client = connect(stack)
    assert_whole(client, client.run(talk(20), new_session()), 20)


@pytest.mark.timeout(150)
def test_a_worker_whose_consumer_went_deaf_ends_itself_and_its_run_goes_on(
    connect: Clients, new_session: Callable[[], str]
) -> None:
    stack = Stack(workers=1, DRAIN_SECONDS=1)
    try:
        stack.start()
        client = connect(stack)
        run_id = client.run(talk(700, rate=20), new_session())
        client.wait_for("message.delta")
        (worker,) = stack.workers
        (before,) = said(stack, "worker")
        assert not before.live
        deafen(stack)
        assert worker.wait(within=60) == 0
        assert "worker.deaf seconds=" in worker.log()
        stack.workers.remove(worker)
        stack.add_worker()
        assert client.end(run_id, within=60)["status"] == "completed"
        assert len(stack.posts(run_id)) == 1
        assert_whole(client, client.run(talk(5), new_session()), 5)
    finally:
        stack.stop()


@pytest.mark.timeout(120)
def test_a_redis_that_has_no_memory_left_ends_nobody_and_no_run(
    connect: Clients, new_session: Callable[[], str]
) -> None:
    stack = Stack(workers=1, DRAIN_SECONDS=1)
    try:
        stack.start()
        client = connect(stack)
        run_id = client.run(talk(200, rate=20), new_session())
        client.wait_for("message.delta")
        with stack.redis.client() as redis:
            redis.config_set("maxmemory", "1")  # it refuses whatever needs more
            time.sleep(FULL_FOR)
            redis.config_set("maxmemory", "0")
        assert_whole(client, run_id, 200)
        processes = [*stack.web, *stack.workers, stack.maintenance, stack.beat]
        assert [process.returncode for process in processes] == [None] * len(processes)
        assert stack.run_row(run_id).takeovers == 0
        assert_whole(client, client.run(talk(20), new_session()), 20)
    finally:
        stack.stop()


def deafen(stack: Stack) -> None:
    """Take its queues from the consumer, which goes on otherwise: a reconnect that half failed."""
    app = celery_app(Settings.load(stack.environment))
    inspected = app.control.inspect(timeout=5).active_queues()
    assert inspected is not None
    for name, queues in inspected.items():
        if name.startswith("runs-"):
            taken = [queue["name"] for queue in queues]
            assert RUNS in taken
            for queue in taken:
                app.control.cancel_consumer(queue, destination=[name], reply=True, timeout=5)
    app.close()


@pytest.mark.timeout(180)
def test_a_role_that_stands_still_does_not_live(proxied: tuple[Stack, TcpProxy]) -> None:
    stack, _ = proxied
    wait_until_ready(stack)
    pids = {one.role: one.pid for one in said(stack)}  # of two workers, one
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        for role in pids:
            wait_until(lambda role=role: probe(stack, "live", role), within=40, every=1)  # type: ignore[misc]
    finally:
        for pid in pids.values():
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: probe(stack, "live") == 0, within=20, what="all live again", every=1)
