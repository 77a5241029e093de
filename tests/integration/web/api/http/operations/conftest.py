"""A web process with two users, an operator and an administrator, on each kind of database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.db.models import DeletionRow, RunRow, UsageRow
from shared.db.runs.terminal import fix_end
from shared.protocol.run_states import Move
from shared.user_tokens import digest
from tests.integration.web.test_process import start_web
from tests.support.http_api import ApiClient
from tests.support.migrated import migrated
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.processes import Processes, RunningProcess
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import LiveRun, WebStand

USERS = ("alice", "bob", "olga", "adam")
SECRET = "a secret that nobody but alice may read"


@dataclass
class Site:
    """`stand` plays the worker. Olga is an operator, Adam an administrator."""

    url: str
    process: RunningProcess
    stand: WebStand

    def client(self, name: str) -> ApiClient:
        return ApiClient(self.url, f"token-of-{name}")

    def begin(self, run_id: str, session_id: str | None = None) -> LiveRun:
        claimed = self.stand.claim(run_id)
        return LiveRun(
            self.stand.log, claimed.keys, fence=claimed.fence, session_id=session_id or ""
        )

    def failed(self, name: str = "alice", session_id: str | None = None) -> str:
        """A run that has failed, with an error that quotes its prompt."""
        run_id = self.client(name).start(SECRET, session_id)
        self.begin(run_id, session_id)
        self.end(run_id, Move.FAIL, reason="gateway_error")
        return run_id

    def end(self, run_id: str, verb: Move, **columns: Any) -> None:
        def work(tx: Any) -> None:
            row = tx.get(RunRow, run_id)
            name = "run.failed" if verb is Move.FAIL else "run.completed"
            fix_end(tx, row, verb, [(name, {"error": SECRET})], last_seq=0, **columns)

        self.stand.db.write(work)

    def spend(self, owner: str, at: float, **columns: Any) -> None:
        """The usage of one run."""
        values = {"session_id": "s", "profile": "default", **columns}
        run_id = uuid.uuid4().hex
        self.stand.db.write(
            lambda tx: tx.add(UsageRow(run_id=run_id, owner=owner, created_at=at, **values))
        )

    def park(self, session_id: str, at: float, profile: str = "default") -> None:
        """A deletion that was given up."""
        times = {"created_at": at, "updated_at": at, "next_attempt_at": at}
        row = DeletionRow(
            profile_name=profile,
            session_id=session_id,
            status="parked",
            attempt_count=3,
            last_error="HTTP 500",
            **times,
        )
        self.stand.db.write(lambda tx: tx.add(row))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("operations")
    with ExitStack() as left:
        database_url = f"sqlite:///{home / 'test.db'}"
        if request.param == "postgresql":
            postgres: PostgresServer = request.getfixturevalue("postgres")
            name = f"test_{uuid.uuid4().hex}"
            database_url = postgres.create_database(name)
            left.callback(postgres.drop_database, name)
        migrated(database_url)
        server = RedisServer()
        left.callback(server.stop)
        processes = Processes(home)
        left.callback(processes.stop_all)
        settings = {"TOKENS_FILE": str(tokens_file(home)), "GATEWAY_MAX_RUNS": "7"}
        url, process = start_web(processes, server.url, database_url, home, **settings)
        stand = WebStand(server.url, database_url)
        left.callback(stand.stop)
        yield Site(url, process, stand)
        assert "Traceback" not in process.log()


def tokens_file(home: Path) -> Path:
    path = home / "users.toml"
    path.touch(mode=0o600)
    lines = [f'{name} = ["{digest(f"token-of-{name}")}"]' for name in USERS]
    roles = ['olga = "operator"', 'adam = "admin"']
    path.write_text("\n".join(["[users]", *lines, "[roles]", *roles]))
    return path


@pytest.fixture
def session_id() -> str:
    """A session that no other test has."""
    return f"session-{uuid.uuid4().hex}"


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def holds_contents(answer: requests.Response) -> bool:
    """Whether a prompt, or an error that quotes one, is in the answer."""
    return SECRET in json.dumps(answer.json())
