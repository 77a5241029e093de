"""What workers say of themselves, with each kind of Redis server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from shared.event_log.clients import Commands, command_client
from shared.event_log.keys import WORKERS, worker_report
from shared.event_log.worker_reports import LIFE, Progress, WorkerReport, WorkerReports
from tests.support.servers.redis_server import RedisServer

REPORT = WorkerReport(
    slots=8,
    takeover_slots=2,
    draining=False,
    runs={"run_1": Progress(1_800_000_000.5, 1234), "run_2": Progress(None, 0)},
)


@pytest.fixture
def redis(each_redis_server: RedisServer) -> Iterator[Commands]:
    client = command_client(each_redis_server.url)
    yield client
    client.close()


@pytest.fixture
def name() -> str:
    """A worker that no other test has."""
    return f"host:1:{uuid.uuid4().hex}"


def test_a_report_is_read_as_it_was_written(redis: Commands, name: str) -> None:
    reports = WorkerReports(redis)
    reports.write(name, REPORT)
    read = reports.read()[name]
    assert (read.slots, read.takeover_slots, read.draining) == (8, 2, False)
    assert read.runs == REPORT.runs
    assert 0 <= read.age < LIFE


def test_it_goes_with_its_worker(redis: Commands, name: str) -> None:
    reports = WorkerReports(redis)
    reports.write(name, REPORT)
    assert 0 < redis.pttl(worker_report(name)) <= LIFE * 1000
    assert redis.pttl(WORKERS) > 0
    redis.delete(worker_report(name))  # as when its time is over
    assert name not in reports.read()
    reports.write(name, REPORT)
    reports.remove(name)
    assert name not in reports.read()
    assert redis.zscore(WORKERS, name) is None


def test_names_of_long_dead_workers_are_removed(redis: Commands, name: str) -> None:
    redis.zadd(WORKERS, {"a worker of last year": 1.0})
    WorkerReports(redis).write(name, REPORT)
    assert redis.zscore(WORKERS, "a worker of last year") is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"slots": 1}', b"null", b'{"slots":"x"}'])
def test_what_is_not_understood_is_no_report(redis: Commands, name: str, content: bytes) -> None:
    redis.zadd(WORKERS, {name: 4e9})
    redis.set(worker_report(name), content, px=5000)
    assert name not in WorkerReports(redis).read()
    redis.zrem(WORKERS, name)


def test_fields_of_later_versions_do_no_harm(redis: Commands, name: str) -> None:
    WorkerReports(redis).write(name, REPORT)
    content = redis.get(worker_report(name))
    assert isinstance(content, bytes)
    redis.set(worker_report(name), content.replace(b"{", b'{"later":[1],', 1), px=5000)
    assert WorkerReports(redis).read()[name].slots == 8
