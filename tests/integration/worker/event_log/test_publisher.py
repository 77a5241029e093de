"""Group commit against a real server that comes, goes and forgets (R15, R16, FAILURES 20)."""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from shared.errors import RedisUnavailable
from shared.event_log.clients import command_client
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog
from shared.event_log.types import Append, Batch, Status
from shared.protocol.events import decode
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from worker.event_log.publisher import Publisher
from worker.event_log.run_log import RunLog

TTL = timedelta(seconds=600)


class Flaky(EventLog):
    """Fails every n-th append, before or after the server has it: the caller cannot tell."""

    def __init__(self, url: str, every: int) -> None:
        super().__init__([command_client(url)], TTL, "hf")
        self.every = every
        self.calls = 0

    def append(self, batches: Sequence[Batch]) -> list[Append]:
        self.calls += 1
        if self.calls % self.every:
            return super().append(batches)
        if self.calls % (2 * self.every):
            super().append(batches)
        raise RedisUnavailable()


@pytest.fixture
def log(redis_server: RedisServer) -> EventLog:
    return EventLog([command_client(redis_server.url)], TTL, "hf")


def make_run(log: EventLog, publisher: Publisher) -> RunLog:
    """A run whose events the publisher sends."""
    run_id = f"run_{uuid.uuid4().hex}"
    keys = RunKeys(feed_tag("o", None, run_id), run_id)
    assert log.install(keys, fence=1, epoch=1, min_head=0, create=True).status is Status.OK
    run = RunLog(keys, fence=1, epoch=1, head=0, session_id=None, on_pending=publisher.mark_pending)
    publisher.open(run)
    return run


def publisher(
    log: EventLog, *, owned: bool = True, checkpoint_bytes: int = 2**20, interval: float = 0.002
) -> Publisher:
    return Publisher(
        log,
        lambda _: owned,
        interval=timedelta(seconds=interval),
        checkpoint_bytes=checkpoint_bytes,
        refresh_every=timedelta(seconds=0.1),
    )


@pytest.fixture
def running(log: EventLog) -> Iterator[Publisher]:
    made = publisher(log)
    made.start()
    yield made
    made.stop()


def text(log: EventLog, run: RunLog) -> str:
    view = log.read([(run.keys, 0)])[0]
    assert view is not None
    entries = [decode(entry)[1] for entry in view.entries]
    assert [e["seq"] for e in entries] == list(range(view.first, view.head + 1))
    return "".join(e["delta"] for e in entries)


def test_each_event_of_each_run_is_in_its_log_once(log: EventLog, running: Publisher) -> None:
    runs = [make_run(log, running) for _ in range(10)]
    for number in range(300):
        for run in runs:
            run.add("message.delta", {"delta": f"{number} "})
    expected = "".join(f"{number} " for number in range(300))
    for run in runs:
        assert run.wait_settled(10)
        assert text(log, run) == expected


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_log_that_fails_at_each_nth_call_loses_and_doubles_nothing(
    redis_server: RedisServer, every: int
) -> None:
    flaky = Flaky(redis_server.url, every)
    made = publisher(flaky, interval=0.0)
    made.start()
    run = make_run(flaky, made)
    for number in range(40):
        run.add("message.delta", {"delta": f"{number} "})
        threading.Event().wait(0.001)  # so that there are many batches
    assert run.wait_settled(30)
    made.stop()
    assert flaky.calls > every
    assert text(flaky, run) == "".join(f"{number} " for number in range(40))


def test_a_flushed_server_gets_the_log_again_with_the_same_seqs(
    log: EventLog, redis_server: RedisServer, running: Publisher
) -> None:
    run = make_run(log, running)
    run.add("message.delta", {"delta": "before "})
    assert run.wait_settled(5)
    redis_server.flush()
    run.add("message.delta", {"delta": "after"})
    assert run.wait_settled(5)
    assert text(log, run) == "before after"


def test_a_log_is_not_made_anew_for_an_owner_that_lost_the_run(
    log: EventLog, redis_server: RedisServer
) -> None:
    made = publisher(log, owned=False)
    made.start()
    run = make_run(log, made)
    redis_server.flush()
    run.add("message.delta", {"delta": "late"})
    wait_until(lambda: run.lost)
    made.stop()
    assert log.read([(run.keys, 0)]) == [None]


def test_a_fenced_owner_writes_nothing_more(log: EventLog, running: Publisher) -> None:
    run = make_run(log, running)
    run.add("message.delta", {"delta": "mine"})
    assert run.wait_settled(5)
    log.install(run.keys, fence=2, epoch=1, min_head=1, create=False)
    run.add("message.delta", {"delta": "too late"})
    wait_until(lambda: run.lost)
    assert text(log, run) == "mine"


def test_a_long_log_is_shortened_and_reads_the_same(log: EventLog) -> None:
    made = publisher(log, checkpoint_bytes=2_000)
    made.start()
    run = make_run(log, made)
    for number in range(50):
        run.add("tool.started", {"tool": "x" * 200, "tool_call_id": str(number)})
        assert run.wait_settled(5)
    view = log.read([(run.keys, 0)])[0]
    assert view is not None
    assert view.base > 0
    assert view.checkpoint is not None
    heir = RunLog(run.keys, fence=2, epoch=1, head=view.head, session_id=None)
    heir.restore(view.checkpoint, view.base, view.entries)
    assert len(heir.transcript.messages()) == 50
    made.stop()


def test_events_gather_while_the_server_is_away_and_arrive_when_it_is_back() -> None:
    server = RedisServer()
    log = EventLog([command_client(server.url, timeout=1)], TTL, "hf")
    made = publisher(log)
    made.start()
    run = make_run(log, made)
    run.add("message.delta", {"delta": "a"})
    assert run.wait_settled(5)
    server.kill()
    run.add("message.delta", {"delta": "b"})
    assert not run.wait_settled(0.3)
    run.add("message.delta", {"delta": "c"})
    server.restart()
    assert run.wait_settled(20)
    assert text(log, run) == "abc"
    made.stop()
    server.stop()


def test_the_log_of_a_silent_run_outlives_its_own_life(redis_server: RedisServer) -> None:
    redis = command_client(redis_server.url)
    log = EventLog([redis], timedelta(seconds=600), "hf")
    made = publisher(log)
    made.start()
    run = make_run(log, made)
    run.add("message.delta", {"delta": "a"})
    assert run.wait_settled(5)
    for key in (run.keys.meta, run.keys.log, run.keys.live):
        redis.expire(key, 100)
        wait_until(lambda key=key: redis.ttl(key) > 500, what=f"{key} is renewed")  # type: ignore[misc]
    made.close(run)
    made.stop()


def test_the_log_of_a_silent_run_is_written_anew_when_it_is_lost(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.event_log.publisher.CHECK_EVERY", 0.1)
    log = EventLog([command_client(redis_server.url)], timedelta(seconds=600), "hf")
    made = publisher(log)
    made.start()
    run = make_run(log, made)
    run.add("message.delta", {"delta": "a"})
    assert run.wait_settled(5)
    redis_server.flush()
    wait_until(lambda: log.heads([run.keys]) == [(1, 1)], what="the log is there again")
    assert text(log, run) == "a"
    run.add("message.delta", {"delta": "b"})
    assert run.wait_settled(5)
    assert text(log, run) == "ab"
    made.close(run)
    made.stop()


def test_what_waits_at_the_stop_is_flushed_and_a_second_stop_does_nothing(log: EventLog) -> None:
    made = publisher(log, interval=5.0)
    made.start()
    made.start()
    run = make_run(log, made)
    expected = ""
    for number in range(1_200):  # more than one batch
        run.add("tool.started", {"tool": "t"})
        run.add("message.delta", {"delta": f"{number} "})
        expected += f"{number} "
    made.stop()
    made.stop()
    assert run.idle
    view = log.read([(run.keys, 0)])[0]
    assert view is not None
    entries = [decode(entry)[1] for entry in view.entries]
    assert "".join(entry.get("delta", "") for entry in entries) == expected


def deep(levels: int = 300) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_cannot_be_encoded_of_one_run_holds_up_no_other(
    log: EventLog, running: Publisher
) -> None:
    healthy, hostile = make_run(log, running), make_run(log, running)
    for number in range(40):
        hostile.add("subagent.progress", {"data": deep()})
        healthy.add("message.delta", {"delta": f"{number} "})
    hostile.add("message.delta", {"delta": "also shown"})
    began = time.monotonic()
    assert healthy.wait_settled(5)
    assert hostile.wait_settled(5)
    assert time.monotonic() - began < 1
    assert text(log, healthy) == "".join(f"{number} " for number in range(40))
    assert text(log, hostile) == "also shown"


@pytest.mark.parametrize("broken", ["freeze", "acknowledge", "fold"])
def test_a_defect_in_one_run_s_log_holds_up_no_other(
    log: EventLog, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    made = publisher(log, checkpoint_bytes=1)
    made.start()
    try:
        hostile, healthy = make_run(log, made), make_run(log, made)

        def defect() -> bytes:
            raise RuntimeError("a defect")

        monkeypatch.setattr(hostile, broken, defect)
        for number in range(20):
            hostile.add("message.delta", {"delta": "x"})
            healthy.add("message.delta", {"delta": f"{number} "})
            assert healthy.wait_settled(2)
        assert not healthy.lost
    finally:
        made.stop()
