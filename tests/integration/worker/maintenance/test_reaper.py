"""The reaper, its standby, and what it does when something fails (R13, R18, R34, R35)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.connection import Connection
from sqlalchemy import update

from shared import task_queue
from shared.db.clock import read_clock
from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.runs import claim as claims
from shared.db.runs import overdue
from shared.db.runs.queue.claim_next import claim_next
from shared.errors import DatabaseUnavailable, RedisUnavailable, SettingsError
from shared.event_log.clients import command_client
from shared.event_log.keys import LAST_TICK
from shared.settings import Settings
from shared.task_queue import RUNS, TAKEOVER, TaskQueue
from tests.integration.conftest import MakeWorker
from tests.support.rows import add_run, add_session, run_row
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting_runs import add_waiting
from tests.support.worker_stand import WorkerStand
from worker import queue_admission
from worker.maintenance import reaper as reaper_module
from worker.maintenance.reaper import Reaper
from worker.maintenance.standby_reaper import LastTick, StandbyReaper
from worker.queue_admission import HELD_MOST, QueueAdmission
from worker.services import Services


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, session=False, LEASE_SECONDS=1, REAP_SECONDS=0.2)


class Sent:
    """A task queue that records what is sent."""

    def __init__(self) -> None:
        self.taken_over: list[str] = []
        self.enqueued: list[str] = []

    def waiting(self) -> int | None:
        return 0

    def take_over(self, run_id: str) -> bool:
        self.taken_over.append(run_id)
        return True

    def run_turns(self, run_ids: Sequence[str]) -> bool:
        self.enqueued += run_ids
        return True


def reaping(stand: WorkerStand) -> tuple[Services, Sent]:
    """The services with such a queue."""
    sent = Sent()
    return Services(**{**vars(stand.services), "queue": sent}), sent


def ready_reaper(services: Services) -> Reaper:
    """A reaper that has had contact with the database for longer than a lease."""
    reaper = Reaper(services)
    reaper._contact_since = time.monotonic() - 100
    return reaper


def lapsed_run(stand: WorkerStand) -> str:
    run_id = add_run(stand.db, None, enqueued_at=1.0)
    stand.db.write(lambda s: claims.claim(s, run_id, "dead", -1.0))
    return run_id


def test_a_lapsed_run_is_sent_once_and_again_only_if_no_worker_claimed_it(
    stand: WorkerStand,
) -> None:
    services, sent = reaping(stand)
    run_id, reaper = lapsed_run(stand), ready_reaper(services)
    for _ in range(3):
        reaper.tick()
    assert sent.taken_over == [run_id]
    long_ago = reaper_module.LAPSED_AFTER + 1
    sent_at = run_row(stand.db, run_id).enqueued_at or 0.0
    stand.db.write(
        lambda s: s.execute(update(RunRow).values(enqueued_at=sent_at - long_ago, lease_until=1.0))
    )
    reaper.tick()
    assert sent.taken_over == [run_id, run_id], "the first message was lost"


def test_a_run_that_lapses_again_is_sent_at_once(stand: WorkerStand) -> None:
    services, sent = reaping(stand)
    run_id, reaper = lapsed_run(stand), ready_reaper(services)
    reaper.tick()
    stand.db.write(lambda s: claims.claim(s, run_id, "next", 0.2))
    deadline = time.monotonic() + 5
    while len(sent.taken_over) < 2:
        assert time.monotonic() < deadline, "it has lapsed a second time"
        reaper.tick()
    assert sent.taken_over == [run_id, run_id]


def test_two_beats_at_once_send_each_lapsed_run_once(stand: WorkerStand) -> None:
    services, sent = reaping(stand)
    lapsed = {lapsed_run(stand) for _ in range(20)}
    reapers = [ready_reaper(services) for _ in range(3)]
    threads = [threading.Thread(target=reaper.tick) for reaper in reapers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(sent.taken_over) == sorted(lapsed)


def test_one_transaction_marks_at_most_a_hundred_and_one_tick_sees_to_all(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, sent = reaping(stand)
    for _ in range(120):
        lapsed_run(stand)
    sizes = []
    lapsed_runs = overdue.lapsed_runs

    def counted(*arguments: Any, **more: Any) -> list[str]:
        sizes.append(len(found := lapsed_runs(*arguments, **more)))
        return found

    monkeypatch.setattr(reaper_module, "lapsed_runs", counted)
    ready_reaper(services).tick()
    assert sizes == [100, 20]
    assert len(sent.taken_over) == 120


def test_a_lease_an_hour_ahead_is_over_when_its_owner_does_not_renew_it(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, sent = reaping(stand)
    dead, alive = (add_run(stand.db, None, enqueued_at=1.0) for _ in range(2))
    for run_id in (dead, alive):
        claimed(stand, run_id, 3600.0)
    reaper = ready_reaper(services)
    clock = [1_000.0]
    monkeypatch.setattr(reaper_module, "monotonic", lambda: clock[0])
    reaper._contact_since = 0.0
    for seconds in (0.0, 0.5, 0.9):
        clock[0] = 1_000.0 + seconds
        reaper.tick()
        renew(stand, alive)
    assert sent.taken_over == [], "its owner may be about to renew it"
    clock[0] += 0.3
    reaper.tick()
    assert sent.taken_over == [dead]


def claimed(stand: WorkerStand, run_id: str, lease: float) -> None:
    stand.db.write(lambda s: claims.claim(s, run_id, "w", lease))


def renew(stand: WorkerStand, run_id: str) -> None:
    later = update(RunRow).where(RunRow.id == run_id).values(lease_until=RunRow.lease_until + 1)
    stand.db.write(lambda s: s.execute(later))


# --- messages that wait -------------------------------------------------------------------------


def tick_with(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, waiting: int | None
) -> list[str]:
    services, sent = reaping(stand)
    monkeypatch.setattr(Sent, "waiting", lambda self: waiting)
    Reaper(services).tick()
    return sent.enqueued


def test_a_tick_sends_as_many_messages_as_are_fewer_than_due_runs(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_waiting(stand.db, runs=30, owners=3)
    assert len(tick_with(stand, monkeypatch, 27)) == 3
    assert tick_with(stand, monkeypatch, 30) == []
    assert tick_with(stand, monkeypatch, 5_000) == []


def test_a_run_that_waits_for_another_a_pause_or_a_permit_needs_no_message(
    make_worker: MakeWorker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_worker(database_url, session=False, LEASE_SECONDS=5, GATEWAY_MAX_RUNS=2)
    add_session(stand.db, "s")
    add_run(stand.db, "s", due_no=1)
    add_run(stand.db, "s", queue_no=2)
    later = stand.db.read(read_clock) + 60.0
    add_run(stand.db, None, due_no=1, not_before=later)
    assert len(tick_with(stand, monkeypatch, 0)) == 1
    add_waiting(stand.db, runs=5, owners=1)
    assert len(tick_with(stand, monkeypatch, 0)) == 2
    taken = stand.db.write(lambda tx: claim_next(tx, "w", 60.0))
    assert isinstance(taken, claims.Claim)
    assert len(tick_with(stand, monkeypatch, 0)) == 1


def test_a_tick_sends_a_limited_number(stand: WorkerStand, monkeypatch: pytest.MonkeyPatch) -> None:
    add_waiting(stand.db, runs=300, owners=3)
    assert len(tick_with(stand, monkeypatch, 0)) == reaper_module.MESSAGES
    assert len(tick_with(stand, monkeypatch, 270)) == 30


def test_a_long_queue_is_compared_now_and_then(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_waiting(stand.db, runs=60, owners=3)
    monkeypatch.setattr(reaper_module, "LONG", 50)
    waits = [55]
    services, sent = reaping(stand)
    monkeypatch.setattr(Sent, "waiting", lambda self: waits[0])
    clock = [1_000.0]
    monkeypatch.setattr(reaper_module, "monotonic", lambda: clock[0])
    reaper = Reaper(services)
    for _ in range(3):
        reaper.tick()
    assert len(sent.enqueued) == 5
    clock[0] += reaper_module.LONG_EVERY
    reaper.tick()
    assert len(sent.enqueued) == 10
    waits[0] = 45
    reaper.tick()
    assert len(sent.enqueued) == 25


def test_a_due_run_without_a_number_gets_one_and_a_message(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(stand.db, None)
    assert tick_with(stand, monkeypatch, 0) == [run_id]
    assert run_row(stand.db, run_id).due_no is not None


def test_while_the_broker_is_away_nothing_is_sent(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_waiting(stand.db, runs=1, owners=1)
    assert tick_with(stand, monkeypatch, None) == []


def test_the_queue_tells_how_many_messages_wait_in_it(stand: WorkerStand) -> None:
    queue = stand.services.queue
    before = queue.waiting()
    assert before is not None
    for run_id in ("run_a", "run_b", "run_b"):
        queue.run_turn(run_id)
    queue.take_over("run_c")
    assert queue.waiting() == before + 3


def test_a_hundred_messages_are_sent_at_once(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = stand.services.queue
    queue.run_turns(["run_first"])  # connects
    before, sent = queue.waiting(), []
    send: Any = Connection.send_packed_command

    def counted(*arguments: Any, **more: Any) -> None:
        sent.append(1)
        send(*arguments, **more)

    monkeypatch.setattr(Connection, "send_packed_command", counted)
    assert queue.run_turns([f"run_{n}" for n in range(100)])
    assert len(sent) == 1
    assert before is not None
    assert queue.waiting() == before + 100


def test_a_message_of_several_is_the_one_that_is_sent_alone(
    stand: WorkerStand, redis_server: RedisServer
) -> None:
    """But for what differs each time, and what says where a result would go, of which there is
    none."""
    redis_server.flush()
    stand.services.queue.run_turn("run_a")
    stand.services.queue.run_turns(["run_a"])
    with redis_server.client() as redis:
        (waiting,) = [redis.lrange(key, 0, -1) for key in redis.keys("*celery:runs")]
    several, alone = map(sent_fields, waiting)
    assert several == alone
    assert alone["headers.task"] == '"holdfast.run_turn"'


def sent_fields(message: bytes) -> dict[str, str]:
    """Its fields as JSON, without those that are new each time."""
    envelope = json.loads(message)
    groups = {name: envelope.pop(name) for name in ("headers", "properties")}
    fields = {f"{name}.{field}": groups[name][field] for name in groups for field in groups[name]}
    for name in ("headers.id", "headers.root_id", "headers.ignore_result"):
        del fields[name]
    for name in ("properties.correlation_id", "properties.delivery_tag", "properties.reply_to"):
        del fields[name]
    return {name: json.dumps(value) for name, value in {**envelope, **fields}.items()}


def test_a_broker_that_is_away_tells_nothing(tmp_path: Path) -> None:
    settings = Settings.load({"REDIS_URL": "redis://127.0.0.1:1", "HOLDFAST_HOME": str(tmp_path)})
    queue = TaskQueue(task_queue.celery_app(settings))
    assert queue.waiting() is None
    assert not queue.run_turns(["run_a"])


def test_nothing_is_taken_over_before_one_lease_of_unbroken_contact(stand: WorkerStand) -> None:
    services, sent = reaping(stand)
    run_id, reaper = lapsed_run(stand), ready_reaper(services)
    away = Services(**{**vars(services), "db": _Away()})
    reaper._services = away
    reaper.tick()
    reaper._services = services
    reaper.tick()
    assert sent.taken_over == [], "the owner may be back as well, and renew"
    deadline = time.monotonic() + 5
    while not sent.taken_over:
        assert time.monotonic() < deadline
        reaper.tick()
    assert sent.taken_over == [run_id]


def test_a_redis_that_is_away_delays_no_takeover(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, sent = reaping(stand)
    run_id, reaper = lapsed_run(stand), ready_reaper(services)

    def announce(*_: object) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(reaper_module, "unannounced", lambda *_: ["a"])
    monkeypatch.setattr(reaper_module, "announce", announce)
    reaper.tick()
    assert sent.taken_over == [run_id]


class _Away:
    def read(self, work: object) -> None:
        raise DatabaseUnavailable

    write = read


def test_a_step_that_fails_stops_neither_the_others_nor_the_next_tick(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    services, sent = reaping(stand)
    run_id, reaper = lapsed_run(stand), ready_reaper(services)

    def broken(*_: object) -> list[str]:
        raise ValueError("an unexpected row")

    monkeypatch.setattr(reaper_module, "unannounced", broken)
    monkeypatch.setattr(reaper_module, "count_due", broken)
    reaper.tick()
    assert sent.taken_over == [run_id]
    assert "reaper.failed step=announce" in caplog.text


def test_an_end_that_cannot_be_announced_does_not_block_the_others(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[str] = []

    def announce(_db: object, _log: object, run_id: str) -> None:
        if run_id == "bad":
            raise ValueError
        announced.append(run_id)

    monkeypatch.setattr(reaper_module, "unannounced", lambda *_: ["a", "bad", "b"])
    monkeypatch.setattr(reaper_module, "announce", announce)
    Reaper(reaping(stand)[0]).tick()
    assert announced == ["a", "b"]


# --- the standby -------------------------------------------------------------------------------


def test_a_worker_ticks_when_nobody_did_for_two_intervals_and_only_one_of_them(
    stand: WorkerStand, redis_server: RedisServer
) -> None:
    services, sent = reaping(stand)
    redis = command_client(redis_server.url)
    redis.delete(LAST_TICK)
    marks = [LastTick(redis, 30.0, f"w{n}") for n in range(3)]
    standbys = [StandbyReaper(services, mark) for mark in marks]
    for standby in standbys:
        standby._reaper._contact_since = time.monotonic() - 100
    run_id = lapsed_run(stand)
    marks[0].record()
    assert 30_000 < redis.pttl(LAST_TICK) <= 60_000, "two intervals"
    for standby in standbys:
        standby.tick_if_missed()
    assert sent.taken_over == [], "somebody ticked just now"
    redis.pexpire(LAST_TICK, 1)
    wait_until(lambda: not redis.exists(LAST_TICK), what="the two intervals are over")
    for standby in standbys:
        standby.tick_if_missed()
    assert sent.taken_over == [run_id]
    assert [mark.claim_missed() for mark in marks] == [False] * 3
    assert 30_000 < redis.pttl(LAST_TICK) <= 60_000
    redis.close()


def test_a_standby_goes_on_after_an_error(
    stand: WorkerStand, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = []

    def tick_if_missed(self: StandbyReaper) -> None:
        rounds.append(1)
        raise ValueError

    monkeypatch.setattr(StandbyReaper, "tick_if_missed", tick_if_missed)
    standby = StandbyReaper(stand.services, LastTick(command_client(redis_server.url), 0.2, "w"))
    standby.start()
    deadline = time.monotonic() + 5
    while len(rounds) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    standby.stop()
    standby.stop()
    assert "standby-reaper" not in [thread.name for thread in threading.enumerate()]


def test_a_mark_of_a_clock_that_was_set_back_holds_up_no_standby(
    redis_server: RedisServer,
) -> None:
    redis = command_client(redis_server.url)
    redis.set(LAST_TICK, "dead", px=3_600_000)
    mark = LastTick(redis, 0.2, "w")
    deadline = time.monotonic() + 5
    assert not mark.claim_missed(), "whoever set it may do so again"
    while not mark.claim_missed():
        assert time.monotonic() < deadline
    assert redis.get(LAST_TICK) == b"w"
    redis.close()


# --- slots -------------------------------------------------------------------------------------


class Consumer:
    """What Celery's consumer does, as QueueAdmission sees it: calls wait for the next message."""

    def __init__(self) -> None:
        self.queues = {RUNS: 1, TAKEOVER: 1}
        self.app = SimpleNamespace(amqp=SimpleNamespace(queues=self))
        self.consume_from = self.queues
        self._calls: list[Any] = []

    def call_soon(self, work: Any) -> None:
        self._calls.append(work)

    def settle(self) -> set[str]:
        while self._calls:
            self._calls.pop()()
        return set(self.queues)

    def add_task_queue(self, queue: str) -> None:
        self.queues[queue] = 1

    def cancel_task_queue(self, queue: str) -> None:
        del self.queues[queue]


def test_the_queue_of_runs_is_not_consumed_while_all_ordinary_slots_are_taken() -> None:
    consumer, admission = Consumer(), QueueAdmission(2)
    admission.attach(consumer)
    assert [admission.enter(), consumer.settle()] == [True, {RUNS, TAKEOVER}]
    assert [admission.enter(), consumer.settle()] == [True, {TAKEOVER}]
    assert not admission.enter(), "a message that was under way goes back"
    admission.leave()
    assert consumer.settle() == {RUNS, TAKEOVER}
    assert admission.enter()


def test_a_message_that_was_under_way_gets_the_slot_of_the_next_run_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_admission, "HOLD", 30.0)
    consumer, admission = Consumer(), QueueAdmission(2)
    admission.attach(consumer)
    assert [admission.enter(), admission.enter()] == [True, True]
    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(admission.enter) for _ in range(HELD_MOST)]
        wait_until(lambda: len(admission._held) == HELD_MOST, what="they wait")
        assert not admission.enter(), "as many as may wait do"
        admission.leave()
        admission.leave()
        assert [one.result(5) for one in held] == [True] * HELD_MOST
    assert consumer.settle() == {TAKEOVER}, "all slots are taken again"
    admission.leave()
    assert consumer.settle() == {RUNS, TAKEOVER}


def test_a_message_that_waits_in_a_worker_that_stops_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_admission, "HOLD", 30.0)
    admission = QueueAdmission(1)
    assert admission.enter()
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(admission.enter)
        wait_until(lambda: admission._held, what="it waits")
        admission.close()
        admission.leave()
        assert not held.result(5)
    assert admission._running == 0


def test_a_worker_that_stops_consumes_no_queue() -> None:
    consumer, admission = Consumer(), QueueAdmission(2)
    admission.attach(consumer)
    assert admission.enter()
    admission.close()
    assert consumer.settle() == set()
    assert not admission.enter()
    admission.leave()
    assert consumer.settle() == set()


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "lease", "fits"),
    [
        ("sqlite:////tmp/x.db", "7.4", False),
        ("sqlite:////tmp/x.db", "7.5", True),
        ("sqlite:////tmp/x.db?timeout=2", "8", False),
        ("sqlite:////tmp/x.db?timeout=2", "15", True),
        ("sqlite:////tmp/x.db?timeout=soon", "15", False),
        ("postgresql://h/x", "1", True),
    ],
)
def test_a_lease_outlives_three_renewals_that_wait_for_sqlite(
    url: str, lease: str, fits: bool
) -> None:
    environ = {"DATABASE_URL": url, "LEASE_SECONDS": lease, "PORT": "many"}
    with pytest.raises(SettingsError) as refused:
        Settings.load(environ)
    faults = "\n".join(refused.value.faults)
    assert "PORT" in faults, "all faults are reported at once"
    assert ("LEASE_SECONDS" in faults or "timeout=" in faults) is not fits


def test_the_wait_for_other_writers_is_what_the_address_says(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'x.db'}?timeout=0.25")
    assert db.read(lambda s: s.connection().exec_driver_sql("PRAGMA busy_timeout").scalar()) == 250
    db.close()
