"""Whole runs while Redis fails, forgets, is slow; and what runs leave behind (R17, R20, R25,
FAILURES 6, 20, 29, 31, 32)."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis.client import Pipeline, Redis
from redis.exceptions import ConnectionError as Broken
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.db.models import MessageRow, OrphanRow, RunRow, SessionRow, UsageRow
from shared.db.runs.attempts import note_attempt, record_intent
from shared.db.runs.claim import Claim, claim
from shared.db.runs.stop import ask_stop
from shared.errors import RedisUnavailable
from shared.event_log.keys import PREFIX
from shared.event_log.store import Append, Batch, EventLog
from shared.protocol.events import decode
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import OWNER, add_run, messages, run_row
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.worker_stand import SESSION, WorkerStand
from worker.gateway.models import RunStatus
from worker.gateway.translate_events import GatewayEnd
from worker.maintenance.reaper import Reaper
from worker.outcome import Outcome
from worker.run import finish, poll_status
from worker.run.run_turn import run_turn
from worker.turn import Turn

GIANT = 33 * 1024 * 1024
LARGEST_EVENT = 1024 * 1024
RUNS = 100  # what stays of each shows in the counts at once, in memory beyond 100 KB a run
BEGIN = 20  # runs after which caches are as large as they get


@pytest.fixture
def make_stand(make_worker: MakeWorker) -> MakeWorker:
    """Makes workers that are impatient, unless told otherwise."""

    def make(database_url: str = "", **settings: object) -> WorkerStand:
        values = {"LEASE_SECONDS": 1, "STOP_TIMEOUT": 1, "WATCHDOG_SECONDS": 1, **settings}
        return make_worker(database_url, **values)

    return make


def waiting_run(stand: WorkerStand, queue_no: int = 1, **script: object) -> str:
    text = scripted(**{"tokens": 5, "rate": 0, **script})
    return add_run(stand.db, SESSION, text=text, queue_no=queue_no)


@pytest.fixture(autouse=True)
def short_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_status, "LAST_LOOK", 0.2)


def deltas(stand: WorkerStand, run_id: str) -> list[str]:
    """The pieces of the answer in the log; its seqs have no gap."""
    events = stand.events(run_id)
    assert [p["seq"] for _, p in events] == list(range(1, len(events) + 1))
    return [p["delta"] for name, p in events if name == "message.delta"]


def log_of_publisher(stand: WorkerStand) -> EventLog:
    """The log that runs are written to; it is another object than that of the services."""
    (publisher,) = stand.services.publisher.shards
    return publisher._event_log


def run_without_a_transcript(stand: WorkerStand, run_id: str) -> None:
    """Do the run while the gateway answers every question for a session with 500."""
    stand.gateway.faults(sessions_error=500)
    try:
        run_turn(stand.services, run_id)
    finally:
        stand.gateway.clear_faults()


def numbered(count: int) -> str:
    return "".join(f"t{n} " for n in range(1, count + 1))


# --- a run that its own worker takes over --------------------------------------------------------


def test_a_worker_that_takes_its_own_run_over_goes_on_renewing_it(make_worker: MakeWorker) -> None:
    """Frozen for longer than a lease, it may well be the one that finds the message (R12)."""
    stand = make_worker(LEASE_SECONDS=30)  # renewed so seldom that it stays lapsed
    run_id = waiting_run(stand, tokens=1000, rate=50)
    earlier = stand.begin(run_id)
    wait_until(lambda: fences(stand) == [1], what="it is opened")
    wait_until(lambda: "message.delta" in stand.names(run_id), what="the first token")
    stand.db.write(lambda tx: tx.execute(update(RunRow).values(lease_until=0.0)))
    later = stand.begin(run_id)
    wait_until(lambda: 2 in fences(stand), what="it is taken over")
    earlier.join(10)
    assert not earlier.is_alive()
    assert fences(stand) == [2]
    stand.db.write(lambda tx: ask_stop(tx, OWNER, None, run_id))
    stand.services.turns[run_id].request_stop()
    later.join(20)
    assert (run_row(stand.db, run_id).state, fences(stand)) == ("aborted", [])


def fences(stand: WorkerStand) -> list[int]:
    """Of the leases that are renewed."""
    return [lease.fence for lease in stand.services.leases.held()]


# --- a Redis that fails -------------------------------------------------------------------------


class Failing:
    """Lets the n-th call of one pool fail: before it is sent, or when its answer is due."""

    def __init__(self, stand: WorkerStand, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = self.at = 0
        self.after = False
        self._pool = stand.services.event_log._servers[0].redis.connection_pool
        monkeypatch.setattr(Redis, "execute_command", self._wrap(Redis.execute_command))
        monkeypatch.setattr(Pipeline, "execute", self._wrap(Pipeline.execute))

    def arm(self, at: int, *, after: bool) -> None:
        """From now on count; 0 lets nothing fail."""
        self.calls, self.at, self.after = 0, at, after

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(client: Redis, *args: Any, **options: Any) -> Any:
            if client.connection_pool is not self._pool:
                return call(client, *args, **options)
            self.calls += 1
            fails = self.calls == self.at
            if fails and not self.after:
                raise Broken("before")
            answer = call(client, *args, **options)
            if fails:
                raise Broken("after")
            return answer

        return wrapped


def left_by(stand: WorkerStand, run_id: str) -> dict[str, Any]:
    """What a run leaves in the database, without times, names and counts of attempts."""

    def work(tx: Session) -> dict[str, Any]:
        run = tx.get_one(RunRow, run_id)
        conversation = tx.get_one(SessionRow, (OWNER, SESSION))
        rows = tx.scalars(
            select(MessageRow).where(MessageRow.run_id == run_id).order_by(MessageRow.idx)
        )
        usage = tx.scalars(select(UsageRow).where(UsageRow.run_id == run_id))
        return {
            "run": (run.state, run.reason, run.output, run.gateway_synced),
            "announced": run.announced_at is not None,
            "messages": [(m.idx, m.role, m.content, m.tool_name, m.finish_reason) for m in rows],
            "usage": [(u.input_tokens, u.output_tokens) for u in usage],
            "preview": conversation.preview,
        }

    return stand.db.read(work)


def test_a_redis_that_fails_at_any_one_call_leaves_the_same_database(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand()
    failing = Failing(stand, monkeypatch)
    usual = done_with_a_failure(stand, failing, 1, at=0, after=False)
    calls = failing.calls
    assert calls > 6
    for after in (False, True):
        for at in range(1, calls + 1):
            number = 2 * at + int(after)
            assert done_with_a_failure(stand, failing, number, at=at, after=after) == usual, at


def done_with_a_failure(
    stand: WorkerStand, failing: Failing, number: int, *, at: int, after: bool
) -> dict[str, Any]:
    """A whole run, of whose calls one fails; what is then done is done by hand here."""
    tool = {"after": 2, "name": "ls", "output": "a b"}
    run_id = waiting_run(stand, number, tools=[tool], usage={"input_tokens": 7, "output_tokens": 5})
    failing.arm(at, after=after)
    while run_row(stand.db, run_id).state != "completed":
        run_turn(stand.services, run_id)
    used = failing.calls
    failing.arm(0, after=False)
    Reaper(stand.services).tick()
    failing.calls = used
    assert deltas(stand, run_id) == ["t1 t2 ", "t3 t4 t5 "]
    names = stand.names(run_id)
    assert (names.count("run.completed"), names[-1]) == (1, "run.completed")
    return left_by(stand, run_id)


def test_the_end_comes_after_the_last_word_however_slow_the_log_is(
    make_stand: Callable[..., WorkerStand], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(database_url)
    event_log = log_of_publisher(stand)
    quick = event_log.append

    def slow(batches: Sequence[Batch]) -> list[Append]:
        time.sleep(1.0)  # longer than the run takes on a busy machine
        return quick(batches)

    monkeypatch.setattr(event_log, "append", slow)
    run_id = waiting_run(stand, tokens=50)
    run_turn(stand.services, run_id)
    assert "".join(deltas(stand, run_id)) == numbered(50)
    assert "resync" not in stand.event(run_id, "run.completed")


def test_a_log_that_is_lost_with_its_owner_begins_a_new_epoch_and_the_end_says_so(
    make_stand: Callable[..., WorkerStand], database_url: str
) -> None:
    stand = make_stand(database_url)
    run_id = waiting_run(stand)
    ephemeral = f"eph_{run_id}"
    owner = stand.db.write(lambda s: claim(s, run_id, "dead", -1.0))
    assert isinstance(owner, Claim)
    stand.db.write(lambda s: record_intent(s, owner, ephemeral, None))
    gateway_run = stand.gateway.post(scripted(tokens=20), session_id=ephemeral)
    noted = {"gateway_run_id": gateway_run, "stream_opened": True}
    stand.db.write(lambda s: note_attempt(s, owner, ephemeral, **noted))
    # The last renewal said that five events had been shown; Redis knows nothing of them.
    stand.db.write(lambda s: s.execute(update(RunRow).values(last_seq=5)))
    run_turn(stand.services, run_id)
    assert {payload["epoch"] for _, payload in stand.events(run_id)} == {2}
    assert "".join(deltas(stand, run_id)).split() == numbered(20).split()
    end = stand.event(run_id, "run.completed")
    assert (end["resync"], run_row(stand.db, run_id).epoch) == (True, 2)


def test_a_run_longer_than_the_life_of_its_log_is_whole(
    make_stand: Callable[..., WorkerStand],
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand = make_stand(database_url, WATCHDOG_SECONDS=10)
    (publisher,) = stand.services.publisher.shards
    stand.services.event_log._ttl = log_of_publisher(stand)._ttl = 3
    publisher._refresh_every = 0.2
    tool = {"after": 10, "name": "sleep", "seconds": 5.0}
    run_id = waiting_run(stand, tokens=20, rate=100, tools=[tool])
    with caplog.at_level(logging.WARNING):
        run_turn(stand.services, run_id)
    assert "".join(deltas(stand, run_id)) == numbered(20)
    assert "log.reinstalled" not in caplog.text


def test_without_a_transcript_the_rest_of_the_answer_is_shown(
    make_stand: Callable[..., WorkerStand],
) -> None:
    stand = make_stand(LEASE_SECONDS=30)
    run_id = waiting_run(stand, tokens=60, rate=60, cut=10)
    run_without_a_transcript(stand, run_id)
    assert "".join(deltas(stand, run_id)).split() == numbered(60).split()


@pytest.mark.parametrize("script", [{}, {"cut": 3}], ids=["streamed", "polled"])
def test_a_run_that_the_gateway_interrupts_fails_and_keeps_its_text(
    make_stand: Callable[..., WorkerStand], script: dict[str, int]
) -> None:
    stand = make_stand(LEASE_SECONDS=30)
    run_id = waiting_run(stand, tokens=20, rate=100, end="interrupted", **script)
    began = time.monotonic()
    run_turn(stand.services, run_id)
    assert time.monotonic() - began < 20, "it is an end, not a state to wait in"
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "gateway_lost_run")
    assert "".join(deltas(stand, run_id)).split() == numbered(20).split()
    (answer,) = stand.db.read(
        lambda tx: list(
            tx.execute(
                select(MessageRow.content, MessageRow.finish_reason).where(
                    MessageRow.run_id == run_id, MessageRow.role == "assistant"
                )
            )
        )
    )
    assert answer.content.split() == numbered(20).split()
    assert answer.finish_reason == "error"


def test_without_a_transcript_an_answer_after_a_lost_step_is_shown(
    make_stand: Callable[..., WorkerStand],
) -> None:
    stand = make_stand(LEASE_SECONDS=30)
    tool = {"after": 40, "name": "terminal", "output": "x"}
    run_id = waiting_run(stand, tokens=60, rate=60, cut=10, tools=[tool], output="The answer.")
    stand.gateway.faults(sessions_error=404)
    try:
        run_turn(stand.services, run_id)
    finally:
        stand.gateway.clear_faults()
    said = "".join(deltas(stand, run_id))
    assert said.endswith("\n\nThe answer.")
    assert numbered(60).startswith(said.removesuffix("\n\nThe answer."))


def test_what_was_lost_before_the_answer_is_stored_when_the_transcript_can_be_read_again(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(LEASE_SECONDS=30)
    tool = {"after": 40, "name": "terminal", "output": "x"}
    run_id = waiting_run(stand, tokens=60, rate=60, cut=10, tools=[tool])
    stand.gateway.faults(sessions_error=500)
    settle = finish._settle

    def readable_again(turn: Turn, outcome: Outcome) -> Outcome:
        stand.gateway.clear_faults()
        return settle(turn, outcome)

    monkeypatch.setattr(finish, "_settle", readable_again)
    run_turn(stand.services, run_id)
    said = "".join(deltas(stand, run_id)).split()
    assert 10 <= len(said) < 60, "the middle was not shown"
    rows = [(row.role, row.content.split()) for row in messages(stand.db, SESSION)]
    assert rows[1:] == [
        ("assistant", numbered(60).split()[:40]),
        ("tool", ["x"]),
        ("assistant", numbered(60).split()[40:]),
    ]
    assert stand.event(run_id, "run.completed")["resync"], "clients are to read the messages"


def test_a_transcript_that_cannot_be_read_at_the_end_is_asked_for_again(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not shown before the end, old clients never show (P25)."""
    stand = make_stand(LEASE_SECONDS=30)
    tool = {"after": 40, "name": "terminal", "output": "x"}
    run_id = waiting_run(stand, tokens=60, rate=60, cut=10, tools=[tool])
    stand.gateway.faults(sessions_error=500)
    monkeypatch.setattr(poll_status, "LAST_LOOK", 20.0)
    show = poll_status._ended

    def readable_soon(turn: Turn, status: RunStatus | None) -> GatewayEnd | None:
        threading.Timer(0.3, stand.gateway.clear_faults).start()
        return show(turn, status)

    monkeypatch.setattr(poll_status, "_ended", readable_soon)
    run_turn(stand.services, run_id)
    assert "".join(deltas(stand, run_id)).split() == numbered(60).split()
    assert "resync" not in stand.event(run_id, "run.completed")


def test_a_stopped_run_does_not_wait_for_a_transcript_that_cannot_be_read(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(LEASE_SECONDS=30, STOP_TIMEOUT=60)
    monkeypatch.setattr(poll_status, "POLL_EVERY", 0.1)
    run_id = waiting_run(stand, tokens=1000, rate=50, cut=10)
    stand.gateway.faults(sessions_error=500)
    monkeypatch.setattr(poll_status, "LAST_LOOK", 20.0)
    turn = stand.begin(run_id)
    wait_until(lambda: fences(stand) == [1], what="it is opened")
    wait_until(lambda: "run.reattached" in stand.names(run_id), what="its stream is lost")
    stand.db.write(lambda tx: ask_stop(tx, OWNER, None, run_id))
    stand.services.turns[run_id].request_stop()
    turn.join(10)
    assert run_row(stand.db, run_id).state == "aborted"


class Away:
    """Lets Redis take no more entries after a batch with these bytes, or once `leave` is called,
    until `back` is."""

    def __init__(
        self, stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, *, after: bytes | None = None
    ) -> None:
        event_log = log_of_publisher(stand)
        self._append = event_log.append
        self._last = after
        self._away = self._returned = False
        monkeypatch.setattr(event_log, "append", self._take)

    def leave(self) -> None:
        """From now on Redis takes nothing."""
        self._away = True

    def back(self) -> None:
        """From now on Redis takes everything."""
        self._returned = True

    def _take(self, batches: Sequence[Batch]) -> list[Append]:
        if self._away and not self._returned:
            raise RedisUnavailable("away")
        entries = [entry for batch in batches for entry in batch.entries]
        if self._last is not None and any(self._last in entry for entry in entries):
            self.leave()
        return self._append(batches)


def test_what_waits_for_redis_at_the_end_of_a_polled_run_is_not_shown_twice(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first words are in the log, the next ones wait, and the rest is known from the end."""
    stand = make_stand(LEASE_SECONDS=30)
    away = Away(stand, monkeypatch, after=b"t1 ")
    show = poll_status._ended

    def show_then_back(turn: Turn, status: RunStatus | None) -> Any:
        try:
            return show(turn, status)
        finally:
            away.back()

    monkeypatch.setattr(poll_status, "_ended", show_then_back)
    run_id = waiting_run(stand, tokens=60, rate=60, cut=20)
    run_without_a_transcript(stand, run_id)
    assert "".join(deltas(stand, run_id)).split() == numbered(60).split()
    assert "resync" not in stand.event(run_id, "run.completed")


def test_what_redis_never_took_is_in_the_stored_messages_without_a_transcript(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    stand = make_stand(database_url, LEASE_SECONDS=30)
    monkeypatch.setattr(finish, "REDIS_AWAY", 0.3)
    away = Away(stand, monkeypatch, after=b"t1 ")
    run_id = waiting_run(stand, tokens=60, rate=200)
    run_without_a_transcript(stand, run_id)
    away.back()
    (answer,) = [m for m in messages(stand.db, SESSION) if m.role == "assistant"]
    assert answer.content.split() == numbered(60).split()
    Reaper(stand.services).tick()
    assert stand.event(run_id, "run.completed")["resync"], "clients are to read the messages"


def test_an_answer_that_came_whole_while_redis_was_away_is_stored_once(
    make_stand: Callable[..., WorkerStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(LEASE_SECONDS=30)
    monkeypatch.setattr(finish, "REDIS_AWAY", 0.3)
    away = Away(stand, monkeypatch)
    settle = finish._settle

    def settle_then_away(turn: Turn, outcome: Outcome) -> Outcome:
        settled = settle(turn, outcome)
        assert not settled.resync
        away.leave()
        return settled

    monkeypatch.setattr(finish, "_settle", settle_then_away)
    run_id = waiting_run(stand, tokens=0, output="The answer.")
    run_without_a_transcript(stand, run_id)
    away.back()
    (answer,) = [m for m in messages(stand.db, SESSION) if m.role == "assistant"]
    assert answer.content == "The answer."
    Reaper(stand.services).tick()
    end = stand.event(run_id, "run.completed")
    assert (end["output"], end["resync"]) == ("The answer.", True)


# --- what is left -------------------------------------------------------------------------------


def test_the_session_of_a_run_that_goes_on_at_the_gateway_is_not_deleted(
    make_stand: Callable[..., WorkerStand], database_url: str
) -> None:
    stand = make_stand(database_url)
    run_id = waiting_run(stand, tokens=2000, rate=100, stop_delay=8)
    doing = stand.begin(run_id)
    wait_until(lambda: run_id in stand.services.turns, what="it is being done")
    turn = stand.services.turns[run_id]
    wait_until(lambda: turn.run_log.head > 1, what="it talks")
    stand.db.write(lambda s: ask_stop(s, OWNER, SESSION, run_id))
    doing.join(20)
    assert run_row(stand.db, run_id).state == "aborted"
    assert stand.deletions() == {}
    orphans = stand.db.read(lambda s: s.scalars(select(OrphanRow.ephemeral_id)).all())
    assert orphans == [turn.ephemeral_id]


def test_after_many_runs_everything_is_as_it_was(
    make_stand: Callable[..., WorkerStand], redis_server: RedisServer
) -> None:
    stand = make_stand(LEASE_SECONDS=30)
    redis_server.flush()
    stand.services.event_log._ttl = 2
    do_runs(stand, BEGIN)
    # An answer that arrives whole needs no reader; this one starts its thread before the count.
    do_runs(stand, 1, tokens=4, rate=20)
    before = measure(stand)
    threads = threading.enumerate()
    do_runs(stand, RUNS)
    with redis_server.client() as redis:
        wait_until(lambda: not _keys(redis), what="no key is left")
    assert still_alive([thread for thread in threading.enumerate() if thread not in threads]) == []
    after = measure(stand)
    assert after["held"] == before["held"] == 0
    assert after["memory"] < 1.1 * before["memory"]
    done = select(func.count()).where(RunRow.state == "completed")
    assert stand.db.read(lambda s: s.scalar(done)) == BEGIN + 1 + RUNS


def do_runs(stand: WorkerStand, count: int, *, tokens: int = 1, rate: int = 0) -> None:
    """Tiny runs without session, a few at once."""
    text = scripted(tokens=tokens, rate=rate)
    run_ids = [add_run(stand.db, None, text=text) for _ in range(count)]
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda run_id: run_turn(stand.services, run_id), run_ids):
            pass


def still_alive(threads: Sequence[threading.Thread], within: float = 10.0) -> list[str]:
    """The names of those that have not ended `within` seconds."""
    deadline = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


def measure(stand: WorkerStand) -> dict[str, int]:
    """What the process holds of runs: objects, memory in bytes."""
    gc.collect()
    (publisher,), leases = stand.services.publisher.shards, stand.services.leases
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "held": len(stand.services.turns)
        + len(publisher._open)
        + len(publisher._pending)
        + len(leases.held()),
        "memory": pages * 4096,
    }


def _keys(redis: Any) -> list[bytes]:
    return list(redis.scan_iter(match=f"{PREFIX}:{{*", count=1000))


# --- sizes --------------------------------------------------------------------------------------


def test_an_event_of_33_megabytes_arrives_in_pieces(
    make_stand: Callable[..., WorkerStand],
) -> None:
    """It is more than the stream may bring at once, so the transcript brings it."""
    stand = make_stand(LEASE_SECONDS=30, WATCHDOG_SECONDS=10, CHECKPOINT_BYTES=2**30)
    run_id = waiting_run(stand, tokens=4, event_bytes=GIANT, event_bytes_after=2)
    run_turn(stand.services, run_id)
    said = deltas(stand, run_id)
    assert "".join(said).split() == f"t1 t2 {'g' * GIANT}t3 t4".split()
    assert max(map(len, said)) < LARGEST_EVENT


def test_the_bytes_of_a_token_do_not_grow_with_the_text(
    make_stand: Callable[..., WorkerStand], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(database_url)
    sent: list[bytes] = []
    (publisher,) = stand.services.publisher.shards
    append = publisher._event_log.append

    def noted(batches: Sequence[Batch]) -> list[Append]:
        sent.extend(entry for batch in batches for entry in batch.entries)
        return append(batches)

    monkeypatch.setattr(publisher._event_log, "append", noted)
    run_turn(stand.services, waiting_run(stand, tokens=400, rate=400))
    around = [
        len(entry) - len(payload["delta"])
        for entry in sent
        for name, payload in [decode(entry)]
        if name == "message.delta"
    ]
    assert len(around) > 10
    assert max(around) - min(around) < 8  # the digits of seq
