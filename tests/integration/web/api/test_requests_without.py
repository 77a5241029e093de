"""Requests while Redis or the database answers badly: one run or a refusal, soon (R33, W5, W8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from shared.db.database import Database, Work
from shared.db.migrate import upgrade
from shared.db.models import RunRow
from shared.errors import DatabaseUnavailable, Overloaded, RedisUnavailable
from shared.event_log.clients import Commands, command_client
from shared.event_log.store import EventLog
from tests.support.rows import OWNER
from tests.support.servers.redis_server import RedisServer
from web.api import run_requests
from web.api.run_requests import STARTS_AT_ONCE, RunRequests
from web.payloads import AbortPayload, RunPayload
from web.sockets.connections import Connection


class Queue:
    """Remembers what it was asked to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def run_turn(self, run_id: str) -> bool:
        self.sent.append(("run", run_id))
        return True

    def stop_run(self, run_id: str) -> bool:
        self.sent.append(("stop", run_id))
        return True


class Silent(Database):
    """Loses the answer to the next COMMIT, before or after it counted."""

    lose: str = ""

    def write(self, work: Work[Any]) -> Any:
        lose, self.lose = self.lose, ""
        if lose != "before":
            result = super().write(work)
        if lose:
            raise DatabaseUnavailable
        return result


class AnyProfile:
    def getter_for(self, owner: str) -> Callable[[str], str]:
        return lambda name: name


class Web:
    """The requests of a web process, without its sockets."""

    def __init__(self, db: Silent, redis: Commands) -> None:
        self.db = db
        self.queue = Queue()
        event_log = EventLog([redis], timedelta(seconds=60), "hf")
        self.requests = RunRequests(
            db=db,
            event_log=event_log,
            commands=redis,
            queue=self.queue,  # type: ignore[arg-type]
            profiles=AnyProfile(),  # type: ignore[arg-type]
            membership=None,
            queue_cap=20,
            session_max_bytes=2**28,
        )

    def run(self, session_id: str = "s", **fields: Any) -> str:
        payload = RunPayload.model_validate({"input": "x", "session_id": session_id, **fields})
        return self.requests.accept(OWNER, "default", payload).run_id

    def runs(self) -> int:
        return self.db.read(lambda s: s.scalar(select(func.count()).select_from(RunRow))) or 0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """One that a test may end."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def web(tmp_path: Path, redis: RedisServer) -> Iterator[Web]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    db = Silent(url)
    client = command_client(redis.url)
    yield Web(db, client)
    client.close()
    db.close()


def test_a_commit_whose_answer_was_lost_is_read_back_and_answered(web: Web) -> None:
    web.db.lose = "after"
    run_id = web.run()
    assert web.runs() == 1
    assert web.queue.sent == [("run", run_id)]


def test_a_commit_that_did_not_happen_is_refused(web: Web) -> None:
    web.db.lose = "before"
    with pytest.raises(DatabaseUnavailable):
        web.run()
    assert web.runs() == 0
    assert web.queue.sent == []


def test_starts_beyond_those_that_are_stored_at_once_wait_and_then_are_refused(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_requests, "START_WAIT", 0.2)
    for _ in range(STARTS_AT_ONCE):
        web.requests._starts.acquire()
    with pytest.raises(Overloaded, match="at once") as refused:
        web.run()
    assert refused.value.retry_after > 0
    assert web.runs() == 0
    threading.Timer(0.1, web.requests._starts.release).start()
    web.run()
    assert web.runs() == 1


def test_without_redis_a_run_is_refused_before_anything_is_stored(
    web: Web, redis: RedisServer
) -> None:
    redis.kill()
    began = time.monotonic()
    with pytest.raises(RedisUnavailable):
        web.run()
    assert time.monotonic() - began < 5
    assert web.runs() == 0
    redis.restart()
    web.run()


def test_a_redis_that_cannot_write_is_told_apart_from_one_that_is_gone(
    web: Web, redis: RedisServer
) -> None:
    with redis.client() as admin:
        admin.config_set("maxmemory", 1)
        with pytest.raises(RedisUnavailable, match="takes no writes"):
            web.run()
        admin.config_set("maxmemory", 0)
    assert web.runs() == 0
    web.run()


def test_without_redis_a_stop_is_written_down_and_the_client_does_not_wait_for_a_task(
    web: Web, redis: RedisServer
) -> None:
    run_id = web.run()
    web.db.write(lambda s: s.get(RunRow, run_id).__setattr__("state", "running"))
    redis.kill()
    connection = Connection("sid", "t", OWNER, "default", True)
    stopped = web.requests.abort(
        connection, AbortPayload.model_validate({"session_id": "s", "run_id": run_id})
    )
    assert (stopped.run_id, stopped.status) == (run_id, "stopping")
    assert ("stop", run_id) not in web.queue.sent, "it could not be sent either"
