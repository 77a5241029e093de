"""A Redis server behind a socket of the file system, as REDIS_URL may say (C19)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.commands.doctor_checks import _redis
from deploy.commands.doctor_finding import OK
from shared.event_log.clients import command_client, database_of, pubsub_client
from shared.event_log.keys import BROKER_PREFIX
from shared.settings import Settings
from shared.task_queue import RUNS, TaskQueue, celery_app
from tests.support.servers.redis_server import RedisServer


@pytest.fixture
def socket_url(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "redis.sock"
    server = RedisServer(extra=f'unixsocket "{path}"\n')
    password = server.url.partition("://:")[2].partition("@")[0]
    yield f"unix://:{password}@{path}?db=2"
    server.stop()


def test_tasks_go_to_where_the_log_is(socket_url: str) -> None:
    settings = Settings.load({"REDIS_URL": socket_url})
    redis = command_client(settings.redis_url)
    with celery_app(settings) as app:
        assert TaskQueue(app).run_turn("run_1")
    assert database_of(redis) == 2
    assert redis.llen(f"{BROKER_PREFIX}{RUNS}") == 1
    redis.close()


def test_the_doctor_and_a_subscriber_reach_it(socket_url: str) -> None:
    settings = Settings.load({"REDIS_URL": socket_url})
    assert {finding.state for finding in _redis(settings)} == {OK}
    with pubsub_client(settings.redis_url) as redis:
        assert redis.ping()
