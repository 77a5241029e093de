"""When a run did what: stored with its end, by whichever worker ends it (both databases)."""

from __future__ import annotations

import time

import pytest

from shared.db.operations.timelines import StoredTimeline, read_timeline
from shared.db.runs.attempts import note_attempt, record_intent
from shared.db.runs.claim import Claim, claim
from shared.protocol.timeline import Step
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import OWNER, add_run
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import LiveRun
from tests.support.worker_stand import SESSION, WorkerStand
from web.api.http.operations.timeline import in_order
from worker.run.run_turn import run_turn

TOOL = {"after": 2, "name": "ls", "output": "a b"}


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, WATCHDOG_SECONDS=0.3)


def stored(stand: WorkerStand, run_id: str) -> StoredTimeline:
    found = stand.db.read(lambda tx: read_timeline(tx, OWNER, run_id))
    assert found is not None
    return found


def steps(found: StoredTimeline) -> list[Step]:
    assert found.seen is not None
    return in_order([*found.steps, *found.seen["steps"]])


def words(found: StoredTimeline) -> list[str]:
    return [step["step"] for step in steps(found)]


def test_a_run_is_told_from_queue_to_end_when_its_log_is_gone(
    stand: WorkerStand, redis_server: RedisServer
) -> None:
    run_id = add_run(stand.db, SESSION, text=scripted(tokens=5, tools=[TOOL]))
    before = time.time()
    run_turn(stand.services, run_id)
    redis_server.flush()
    found = stored(stand, run_id)
    assert words(found) == [
        *("queued", "claimed", "posted", "started"),
        *("first_token", "tool_started", "tool_completed", "ended"),
    ]
    times = [step["at"] for step in steps(found)]
    assert times == sorted(times)
    assert before - 60 < times[0]
    assert times[-1] < time.time() + 60
    assert [step["tool"] for step in steps(found) if "tool" in step] == ["ls", "ls"]
    (attempt,) = found.attempts
    assert attempt.gateway_run_id is not None


def test_a_takeover_keeps_what_the_first_worker_knew(stand: WorkerStand) -> None:
    run_id = add_run(stand.db, SESSION, text=scripted(tokens=5))
    dead = stand.db.write(lambda tx: claim(tx, run_id, "dead", -1.0))
    assert isinstance(dead, Claim)
    name = f"eph_{run_id[-8:]}"
    stand.db.write(lambda tx: record_intent(tx, dead, name, None))
    gateway_run = stand.gateway.post(scripted(tokens=5), session_id=name)
    columns = {"gateway_run_id": gateway_run, "stream_opened": True}
    stand.db.write(lambda tx: note_attempt(tx, dead, name, **columns))
    log = LiveRun(stand.services.event_log, dead.keys, fence=1, session_id=SESSION)
    begun = time.time()
    log.append("run.started", attempt=1, timestamp=begun + 0.1)
    log.append("tool.started", tool="ls", timestamp=begun + 0.2)
    log.say("the first word")
    run_turn(stand.services, run_id)
    found = stored(stand, run_id)
    by_step = {step["step"]: step for step in steps(found)}
    assert by_step["started"]["at"] == begun + 0.1
    assert (by_step["tool_started"]["at"], by_step["tool_started"]["tool"]) == (begun + 0.2, "ls")
    assert by_step["first_token"]["at"] is None  # the log does not say when deltas came
    assert by_step["reattached"]["mode"] == "polling"
    claims = [step for step in steps(found) if step["step"] == "claimed"]
    assert [step["attempt"] for step in claims] == [1, 2]
    assert claims[1]["taken_over"] is True
    assert found.run.takeovers == 1


def test_a_checkpoint_has_the_steps_of_the_entries_that_it_replaces(
    make_worker: MakeWorker,
) -> None:
    stand = make_worker(CHECKPOINT_BYTES=1024)
    run_id = add_run(stand.db, SESSION, text=scripted(tokens=400, tools=[TOOL]))
    run_turn(stand.services, run_id)
    seen = stored(stand, run_id).seen
    assert seen is not None
    assert [step["step"] for step in seen["steps"]].count("first_token") == 1
    assert "tool_started" in words(stored(stand, run_id))


def test_a_compression_is_told(make_worker: MakeWorker) -> None:
    stand = make_worker(context_length=80_000, session=False)
    stand.conversation(150, tokens=100)
    stand.summaries("THE SUMMARY")
    found = stored(stand, stand.run())
    order = words(found)
    assert order.index("claimed") < order.index("compression_started")
    assert order.index("compression_started") < order.index("compression_ended")
    assert order.index("compression_ended") < order.index("posted")
    (row,) = found.compressions
    assert (row.result, row.trigger_tokens) == ("compressed", 45_000)


def test_nobody_is_told_of_anothers_run(stand: WorkerStand) -> None:
    run_id = add_run(stand.db, SESSION)
    assert stand.db.read(lambda tx: read_timeline(tx, "somebody", run_id)) is None
    assert stand.db.read(lambda tx: read_timeline(tx, None, run_id)) is not None
    assert stand.db.read(lambda tx: read_timeline(tx, None, "run_nobody")) is None
