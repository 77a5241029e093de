"""How runs end when somebody dies, or something comes late (R2, R3, R14, R18, R20, R24)."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.db.models import DeletionRow, OrphanRow, RunRow, UsageRow
from shared.db.runs.attempts import note_attempt, record_intent
from shared.db.runs.claim import Claim, claim
from shared.db.runs.complete import replace_late
from shared.db.runs.stop import ask_stop
from shared.errors import OwnershipLost, RedisUnavailable
from shared.event_log.store import Batch, EventLog, Status
from shared.protocol.events import encode
from shared.run_end import announce
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import OWNER, add_run, messages, run_row
from tests.support.servers.processes import wait_until
from tests.support.worker_stand import SESSION, WorkerStand
from worker.event_log.run_log import RunLog
from worker.gateway.client import GatewayClient
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.maintenance.reaper import Reaper
from worker.maintenance.stop_run import stop_run
from worker.run import finish
from worker.run.open_log import open_turn
from worker.run.run_turn import run_turn
from worker.turn import Turn

TOOL = {"after": 2, "name": "ls", "output": "a b"}


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, LEASE_SECONDS=1, STOP_TIMEOUT=1, WATCHDOG_SECONDS=0.3)


def waiting_run(stand: WorkerStand, **script: object) -> str:
    return add_run(stand.db, SESSION, text=scripted(**{"tokens": 5, **script}))


def log_of(stand: WorkerStand, run_id: str) -> list[tuple[str, dict[str, object]]]:
    return stand.events(run_id)


def ends_of(stand: WorkerStand, run_id: str) -> list[str]:
    names = [name for name, _ in log_of(stand, run_id)]
    return [name for name in names if name in {"run.completed", "run.failed", "run.cancelled"}]


def usage_rows(stand: WorkerStand) -> int:
    return stand.db.read(lambda s: s.scalar(select(func.count()).select_from(UsageRow))) or 0


def contents(stand: WorkerStand) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in messages(stand.db, SESSION)]


def dead_owner(stand: WorkerStand, run_id: str) -> Claim:
    """A claim whose worker is gone: its lease has lapsed."""
    answer = stand.db.write(lambda s: claim(s, run_id, "dead", -1.0))
    assert isinstance(answer, Claim)
    return answer


def posted_by(
    stand: WorkerStand, owner: Claim, *, tokens: int, opened: bool, **script: object
) -> str:
    """What a dead owner had the gateway do; the gateway's id of it."""
    stand.db.write(lambda s: record_intent(s, owner, f"eph_{owner.run_id[-8:]}", None))
    body = scripted(tokens=tokens, **script)
    gateway_run = stand.gateway.post(body, session_id=f"eph_{owner.run_id[-8:]}")
    stand.db.write(
        lambda s: note_attempt(
            s,
            owner,
            f"eph_{owner.run_id[-8:]}",
            gateway_run_id=gateway_run,
            stream_opened=opened,
        )
    )
    return gateway_run


def test_a_worker_that_dies_between_its_commit_and_the_announcement_doubles_nothing(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = waiting_run(stand, tools=[TOOL], usage={"input_tokens": 7, "output_tokens": 5})
    with monkeypatch.context() as patched:
        patched.setattr(finish, "_announce", lambda *_: None)
        run_turn(stand.services, run_id)
    before = contents(stand)
    assert ends_of(stand, run_id) == []
    assert run_row(stand.db, run_id).announced_at is None
    for _ in range(2):
        Reaper(stand.services).tick()
        run_turn(stand.services, run_id)
    assert ends_of(stand, run_id) == ["run.completed"]
    assert contents(stand) == before
    assert [role for role, _ in before] == ["user", "assistant", "tool", "assistant"]
    assert usage_rows(stand) == 1


def test_an_end_is_announced_by_whoever_comes_first_when_redis_is_back(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = waiting_run(stand)

    def away(*_: object, **__: object) -> None:
        raise RedisUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(EventLog, "announce", away)
        run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert announce(stand.db, stand.services.event_log, run_id)
    assert announce(stand.db, stand.services.event_log, run_id)
    assert ends_of(stand, run_id) == ["run.completed"]


def test_a_run_whose_stream_was_opened_is_followed_by_asking_and_shown_whole(
    stand: WorkerStand,
) -> None:
    run_id = waiting_run(stand)
    gateway_run = posted_by(stand, dead_owner(stand, run_id), tokens=40, opened=True, tools=[TOOL])
    run_turn(stand.services, run_id)
    names = [name for name, _ in log_of(stand, run_id)]
    assert names[-1] == "run.completed"
    assert "run.started" not in names
    deltas = [p["delta"] for name, p in log_of(stand, run_id) if name == "message.delta"]
    text = " ".join(map(str, deltas))
    assert text.split() == [f"t{n}" for n in range(1, 41)]
    recorded = stand.gateway.record(f"eph_{run_id[-8:]}")
    (run,) = recorded["runs"]
    assert (run["run_id"], run["readers_opened"]) == (gateway_run, 0)


def test_a_run_whose_stream_was_never_opened_is_read_live(stand: WorkerStand) -> None:
    run_id = waiting_run(stand)
    posted_by(stand, dead_owner(stand, run_id), tokens=5, opened=False)
    run_turn(stand.services, run_id)
    names = [name for name, _ in log_of(stand, run_id)]
    assert "run.reattached" not in names
    assert names[-1] == "run.completed"
    assert stand.gateway.record(f"eph_{run_id[-8:]}")["runs"][0]["readers_opened"] == 1


def test_a_stream_that_a_second_owner_opened_is_not_opened_by_a_third(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = waiting_run(stand)
    posted_by(stand, dead_owner(stand, run_id), tokens=5, opened=False)

    def dies(*_: object) -> None:
        raise OwnershipLost

    with monkeypatch.context() as patched:
        patched.setattr(GatewayClient, "events", dies)
        run_turn(stand.services, run_id)
    stand.db.write(lambda s: s.execute(update(RunRow).values(lease_until=0.0)))
    run_turn(stand.services, run_id)
    reattached = next(p for name, p in log_of(stand, run_id) if name == "run.reattached")
    assert reattached["mode"] == "polling"
    assert ends_of(stand, run_id) == ["run.completed"]
    assert stand.gateway.record(f"eph_{run_id[-8:]}")["runs"][0]["readers_opened"] == 0


def test_a_run_that_was_never_posted_starts_anew(stand: WorkerStand) -> None:
    run_id = waiting_run(stand)
    dead_owner(stand, run_id)
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.takeovers, row.fence) == ("completed", 1, 2)


def test_a_run_that_was_to_stop_is_stopped_by_its_next_owner(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        stand.services.leases, "_notify", lambda lease: None
    )  # it knows by the claim
    run_id = waiting_run(stand)
    posted_by(stand, dead_owner(stand, run_id), tokens=1000, opened=True, rate=100)
    asked = update(RunRow).values(state="stopping", stop_requested_at=1.0)
    stand.db.write(lambda s: s.execute(asked))
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "aborted"
    (run,) = stand.gateway.record(f"eph_{run_id[-8:]}")["runs"]
    assert (run["status"], run["stops"] >= 1) == ("cancelled", True)


def test_a_run_that_is_over_is_freed_without_the_garbage_collector(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[weakref.ref[RunLog]] = []

    def noting(*args: Any) -> Turn:
        turn = open_turn(*args)
        logs.append(weakref.ref(turn.run_log))
        return turn

    monkeypatch.setattr("worker.run.run_turn.open_turn", noting)
    gc.collect()
    gc.disable()
    try:
        run_turn(stand.services, waiting_run(stand))
        wait_until(lambda: logs[0]() is None, within=10, what="the log is freed")
    finally:
        gc.enable()


def test_a_run_that_killed_too_many_workers_is_given_up(stand: WorkerStand) -> None:
    run_id = waiting_run(stand)
    posted_by(stand, dead_owner(stand, run_id), tokens=1000, opened=True, rate=100)
    stand.db.write(lambda s: s.execute(update(RunRow).values(takeovers=5)))
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "worker_lost")
    wait_until(lambda: _is_settled(stand), within=20, what="the gateway's run is stopped")
    assert stand.gateway.record(f"eph_{run_id[-8:]}")["runs"][0]["status"] == "cancelled"


def test_an_owner_that_wakes_up_while_the_next_one_works_writes_nothing(
    stand: WorkerStand,
) -> None:
    run_id = waiting_run(stand)
    late = dead_owner(stand, run_id)
    events = stand.services.event_log
    events.install(late.keys, fence=late.fence, epoch=1, min_head=0, create=True)
    following = stand.db.write(lambda s: claim(s, run_id, "next", 60.0))
    assert isinstance(following, Claim)
    events.install(following.keys, fence=following.fence, epoch=1, min_head=0, create=False)
    entry = encode("message.delta", {"event": "message.delta", "delta": "late", "seq": 1})
    (answer,) = events.append([Batch(late.keys, late.fence, 0, (entry,))])
    assert answer.status is Status.FENCED
    assert log_of(stand, run_id) == []
    with pytest.raises(OwnershipLost):
        stand.db.write(lambda s: record_intent(s, late, "eph_late", None))


@pytest.mark.parametrize("script", [{}, {"cut": 5}], ids=["read", "polled"])
def test_a_stop_that_the_gateway_hears_of_before_the_owner_is_the_persons(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, script: dict[str, int]
) -> None:
    monkeypatch.setattr(
        stand.services.leases, "_notify", lambda lease: None
    )  # no renewal has it stop
    run_id = waiting_run(stand, **{"tokens": 2000, "rate": 50, **script})
    doing = stand.begin(run_id)
    stand.wait_for_post("eph")
    shown = "run.reattached" if script else "message.delta"
    wait_until(lambda: shown in stand.names(run_id), what=shown)
    stand.db.write(lambda s: ask_stop(s, OWNER, SESSION, run_id))
    stop_run(stand.services, run_id)
    doing.join(20)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("aborted", "aborted")
    names = stand.names(run_id)
    ends = [name for name in names if name.startswith(("abort.", "run.comp", "run.f"))]
    assert ends == ["abort.started", "abort.completed", "run.completed"], names
    assert stand.event(run_id, "abort.completed")["synced"] is True


def test_a_cancellation_that_nobody_asked_for_is_a_failure(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, end="cancelled")
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "gateway_error")
    assert "abort.started" not in stand.names(run_id)


def _is_settled(stand: WorkerStand) -> bool:
    check_orphaned_runs(stand.services)
    open_ones = select(func.count()).select_from(OrphanRow).where(OrphanRow.done_at.is_(None))
    return stand.db.read(lambda s: s.scalar(open_ones)) == 0


def test_a_transcript_that_arrives_late_is_taken_once(stand: WorkerStand) -> None:
    stand.gateway.faults(sessions_error=500, count=2)
    run_id = waiting_run(stand, tools=[TOOL])
    run_turn(stand.services, run_id)
    stand.gateway.clear_faults()
    row = run_row(stand.db, run_id)
    assert (row.state, row.gateway_synced) == ("completed", False)
    assert ("tool", "a b") not in contents(stand)
    for _ in range(2):
        stand.db.write(lambda s: s.execute(update(OrphanRow).values(next_at=0.0)))
        check_orphaned_runs(stand.services)
    assert run_row(stand.db, run_id).gateway_synced
    assert not stand.db.write(lambda s: replace_late(s, run_id, [], None))
    assert contents(stand).count(("tool", "a b")) == 1
    assert [role for role, _ in contents(stand)] == ["user", "assistant", "tool", "assistant"]
    assert usage_rows(stand) == 1


def test_an_unsaved_transcript_keeps_its_gateway_session_for_a_day(stand: WorkerStand) -> None:
    stand.gateway.faults(sessions_error=500, count=2)
    run_turn(stand.services, waiting_run(stand))
    stand.gateway.clear_faults()
    due = stand.db.read(_due)
    assert due > time.time() + 23 * 3600
    run_turn(stand.services, add_run(stand.db, SESSION, text=scripted(tokens=2), queue_no=2))
    assert stand.db.read(_due) < time.time() + 1


def _due(tx: Session) -> float:
    return min(tx.scalars(select(DeletionRow.next_attempt_at)))


def test_the_session_is_the_owners_alone(stand: WorkerStand) -> None:
    run_turn(stand.services, waiting_run(stand))
    assert messages(stand.db, SESSION, owner="somebody") == []
    assert len(messages(stand.db, SESSION, owner=OWNER)) == 2
