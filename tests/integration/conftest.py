"""The rig of the tests that need a worker: a demo gateway, and the parts of a worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.rows import add_session
from tests.support.servers.redis_server import RedisServer
from tests.support.worker_stand import SESSION, WorkerStand

MakeWorker = Callable[..., WorkerStand]


@pytest.fixture(scope="module")
def gateway() -> Iterator[DemoGateway]:
    """A gateway without a limit of runs, new for each file: runs of others keep it busy."""
    with DemoGateway.start(key="a-key-of-the-rig", max_runs=0, session_delay=0.0) as started:
        yield started


@pytest.fixture
def make_worker(
    tmp_path: Path, redis_server: RedisServer, gateway: DemoGateway
) -> Iterator[MakeWorker]:
    """Makes worker stands; each on an SQLite database of its own unless it is given a URL.

    They are at the gateway of the file, or at `at`, and have the empty session SESSION, unless
    `session` is False. Other arguments are settings. They are stopped after the test.
    """
    made: list[WorkerStand] = []

    def make(
        database_url: str = "",
        *,
        at: DemoGateway = gateway,
        context_length: int = 200_000,
        session: bool = True,
        **settings: object,
    ) -> WorkerStand:
        url = database_url or f"sqlite:///{tmp_path / f'worker-{len(made)}.db'}"
        stand = WorkerStand(
            tmp_path, url, redis_server, at, context_length=context_length, **settings
        )
        made.append(stand)
        if session:
            add_session(stand.db, SESSION)
        return stand

    yield make
    for stand in made:
        stand.stop()
