"""A web process with two users, and the parts of a worker that write logs of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.user_tokens import digest
from tests.integration.web.test_process import start_web
from tests.support.http_api import ApiClient
from tests.support.migrated import migrated
from tests.support.servers.processes import Processes, RunningProcess
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import LiveRun, WebStand


@dataclass
class Api:
    """`stand` plays the worker."""

    url: str
    process: RunningProcess
    stand: WebStand
    redis: RedisServer
    home: Path
    processes: Processes

    @property
    def alice(self) -> ApiClient:
        return ApiClient(self.url, "token-of-alice")

    @property
    def bob(self) -> ApiClient:
        return ApiClient(self.url, "token-of-bob")

    def begin(self, run_id: str, session_id: str | None = None) -> LiveRun:
        """A worker claims the run and installs its log."""
        claimed = self.stand.claim(run_id)
        return LiveRun(
            self.stand.log,
            claimed.keys,
            fence=claimed.fence,
            epoch=claimed.epoch,
            session_id=session_id or "",
        )


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("api")
    tokens = home / "users.toml"
    tokens.touch(mode=0o600)
    users = {"alice": digest("token-of-alice"), "bob": digest("token-of-bob")}
    tokens.write_text("[users]\n" + "\n".join(f'{n} = ["{d}"]' for n, d in users.items()))
    database_url = f"sqlite:///{home / 'test.db'}"
    migrated(database_url)
    with ExitStack() as left:
        server = RedisServer()
        left.callback(server.stop)
        processes = Processes(home)
        left.callback(processes.stop_all)
        settings = {"TOKENS_FILE": str(tokens), "SOCKETS_PER_OWNER": "250", "QUEUE_CAP": "3"}
        url, process = start_web(processes, server.url, database_url, home, **settings)
        stand = WebStand(server.url, database_url)
        left.callback(stand.stop)
        yield Api(url, process, stand, server, home, processes)


@pytest.fixture
def new_session() -> Callable[[], str]:
    """Names of sessions that no other test has."""
    names = iter(f"session-{id(object())}-{n}" for n in range(1000))
    return lambda: next(names)
