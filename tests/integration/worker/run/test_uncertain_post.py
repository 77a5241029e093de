"""A POST without an answer is sent again only if the gateway certainly never had it (R2, R3)."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import select, update

from shared.db.models import AttemptRow, DeletionRow, OrphanRow, RunRow
from shared.db.runs.attempts import record_intent
from shared.db.runs.claim import Claim, claim
from shared.db.runs.gateway_orphans import UNCERTAIN_POST
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import add_run, run_row
from tests.support.servers.processes import wait_until
from tests.support.worker_stand import SESSION, WorkerStand
from worker.gateway.client import GatewayClient
from worker.gateway.models import GatewayWork
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.run.run_turn import run_turn

POST_TIMEOUT = 1.0


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(
        database_url,
        LEASE_SECONDS=2,
        STOP_TIMEOUT=1,
        POST_TIMEOUT=POST_TIMEOUT,
        POST_MARGIN=0.2,
        START_DEADLINE=1,
    )


def waiting_run(stand: WorkerStand, **script: object) -> str:
    return add_run(stand.db, SESSION, text=scripted(**{"tokens": 5, **script}))


def attempts_of(stand: WorkerStand, run_id: str) -> list[AttemptRow]:
    query = select(AttemptRow).where(AttemptRow.run_id == run_id).order_by(AttemptRow.fence)
    return stand.db.read(lambda tx: list(tx.scalars(query)))


def orphans_of(stand: WorkerStand, run_id: str) -> list[OrphanRow]:
    query = select(OrphanRow).where(OrphanRow.run_id == run_id).order_by(OrphanRow.id)
    return stand.db.read(lambda tx: list(tx.scalars(query)))


def enqueue_at_once(stand: WorkerStand, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is enqueued, instead of sending it."""
    sent: list[str] = []

    def note(run_id: str, *, delay: float | None = None) -> bool:
        sent.append(run_id)
        return True

    monkeypatch.setattr(stand.services.queue, "run_turn", note)
    return sent


def run_to_the_end(stand: WorkerStand, run_id: str, within: float = 20.0) -> RunRow:
    """Claim the run again and again, as the tasks would that are sent for it."""
    deadline = time.monotonic() + within
    while run_row(stand.db, run_id).state not in {"completed", "failed", "aborted"}:
        assert time.monotonic() < deadline, run_row(stand.db, run_id).state
        run_turn(stand.services, run_id)
    return run_row(stand.db, run_id)


def dead_in_the_post(
    stand: WorkerStand, run_id: str, *, pid: int | None = None, seconds_ago: float = 0.0
) -> str:
    """An owner that died after it wrote its intent down; the attempt's session."""
    owner = stand.db.write(lambda s: claim(s, run_id, "dead", -1.0))
    assert isinstance(owner, Claim)
    ephemeral = f"eph_{run_id[-12:]}"
    stand.db.write(lambda s: record_intent(s, owner, ephemeral, pid))
    earlier = update(AttemptRow).values(intent_at=AttemptRow.intent_at - seconds_ago)
    stand.db.write(lambda s: s.execute(earlier))
    return ephemeral


def is_proved(stand: WorkerStand, run_id: str) -> list[str | None]:
    return [a.proof if a.proved_absent_at else None for a in attempts_of(stand, run_id)]


def test_a_post_that_an_idle_gateway_never_had_is_sent_again_after_its_timeout(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enqueue_at_once(stand, monkeypatch)
    stand.gateway.faults(post_reset=True, accepted=False, count=1)
    run_id = waiting_run(stand)
    began = time.monotonic()
    assert run_to_the_end(stand, run_id).state == "completed"
    assert time.monotonic() - began > POST_TIMEOUT
    assert is_proved(stand, run_id) == ["idle", None]
    assert run_row(stand.db, run_id).takeovers == 0
    names = stand.names(run_id)
    assert (names.count("run.retrying"), names.count("run.started")) == (1, 1)
    assert stand.event(run_id, "run.retrying")["reason"] == "post_uncertain"
    assert len(stand.posts("eph")) == 1
    assert f"run.post_repeated run_id={run_id} fence=1" in caplog.text


def test_a_run_whose_owner_died_in_the_post_is_posted_by_the_next_one_after_proof(
    stand: WorkerStand,
) -> None:
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert is_proved(stand, run_id) == ["idle", None]
    assert len(stand.posts("eph")) == 1


def test_a_post_that_may_still_arrive_is_waited_for(stand: WorkerStand) -> None:
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id, seconds_ago=-4.0)  # as if it had just been sent, but slower
    run_turn(stand.services, run_id)
    proved, _ = attempts_of(stand, run_id)
    assert (proved.proved_absent_at or 0.0) - (proved.intent_at or 0.0) > POST_TIMEOUT


def test_a_gateway_that_is_another_process_by_now_need_not_be_idle(
    stand: WorkerStand,
) -> None:
    other = stand.gateway.post(scripted(tokens=1000, rate=10), session_id="somebody-elses")
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id, pid=stand.gateway.pid + 1, seconds_ago=60)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert is_proved(stand, run_id) == ["restarted", None]
    stand.gateway.request("POST", f"/v1/runs/{other}/stop")


def test_beside_other_runs_of_the_same_process_there_is_no_proof(stand: WorkerStand) -> None:
    other = stand.gateway.post(scripted(tokens=1000, rate=10), session_id="somebody-elses")
    posts = stand.gateway.record()["posts"]
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id, pid=stand.gateway.pid, seconds_ago=60)
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "post_uncertain")
    assert stand.gateway.record()["posts"] == posts
    assert [c.kind for c in orphans_of(stand, run_id)] == [UNCERTAIN_POST]
    stand.gateway.request("POST", f"/v1/runs/{other}/stop")


def test_a_gateway_that_knows_the_session_has_the_run(stand: WorkerStand) -> None:
    run_id = waiting_run(stand)
    ephemeral = dead_in_the_post(stand, run_id, pid=stand.gateway.pid + 1, seconds_ago=60)
    gateway_run = stand.gateway.post(scripted(tokens=1), session_id=ephemeral)
    wait_until(
        lambda: stand.gateway.status(gateway_run)["status"] == "completed", what="it has ended"
    )
    began = time.monotonic()
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "post_uncertain")
    assert time.monotonic() - began < POST_TIMEOUT
    assert is_proved(stand, run_id) == [None]


def test_one_quiet_moment_is_no_proof(stand: WorkerStand, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([0, 1] * 50)
    work = lambda _: GatewayWork(stand.gateway.pid, next(said))  # noqa: E731
    monkeypatch.setattr(GatewayClient, "work", work)
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id, pid=stand.gateway.pid, seconds_ago=60)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).reason == "post_uncertain"


def waits_for_proof(stand: WorkerStand, run_id: str) -> bool:
    turn = stand.services.turns.get(run_id)
    return turn is not None and turn.run_log.head > 0 and "run.retrying" in stand.names(run_id)


def test_a_person_who_stops_the_run_does_not_wait_for_the_proof(
    stand: WorkerStand,
) -> None:
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id)
    thread = stand.begin(run_id)
    wait_until(lambda: waits_for_proof(stand, run_id), what="clients see that it waits")
    began = time.monotonic()
    stand.services.turns[run_id].request_stop()
    thread.join(10)
    assert time.monotonic() - began < POST_TIMEOUT
    assert run_row(stand.db, run_id).state == "aborted"
    assert stand.names(run_id)[-4:-2] == ["abort.started", "abort.completed"]
    assert stand.event(run_id, "abort.completed")["synced"] is False
    assert stand.posts("eph") == []


def test_a_run_is_repeated_three_times_at_most(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue_at_once(stand, monkeypatch)
    stand.gateway.faults(post_reset=True, accepted=False)
    monkeypatch.setattr("worker.run.uncertain_post._seconds_to_wait", lambda *_: 0.0)
    run_id = waiting_run(stand)
    assert run_to_the_end(stand, run_id).reason == "post_uncertain"
    assert is_proved(stand, run_id) == ["idle", "idle", "idle", None]


def overtaken(stand: WorkerStand, run_id: str) -> None:
    """Somebody else has the run: its owner was frozen for longer than its lease."""
    stand.services.leases.release(stand.services.turns[run_id].lease)
    stand.db.write(lambda s: s.execute(update(RunRow).values(lease_until=0.0)))
    assert isinstance(stand.db.write(lambda s: claim(s, run_id, "other", 60.0)), Claim)


def in_the_post(stand: WorkerStand, run_id: str, hold: float) -> threading.Thread:
    """A sender whose POST the gateway holds."""
    stand.gateway.faults(post_hold_seconds=hold, count=1)
    posts = stand.gateway.record()["posts"]
    thread = stand.begin(run_id)
    wait_until(lambda: stand.gateway.record()["posts"] > posts, what="the post has arrived")
    return thread


def test_a_sender_that_was_overtaken_stops_what_it_posted_and_is_counted(
    stand: WorkerStand,
) -> None:
    run_id = waiting_run(stand, tokens=1000, rate=20)
    thread = in_the_post(stand, run_id, hold=0.5)
    overtaken(stand, run_id)
    thread.join(10)
    (posted,) = stand.posts("eph")
    wait_until(lambda: stand.posts("eph")[0]["status"] == "cancelled", what="it is stopped")
    (attempt,) = attempts_of(stand, run_id)
    assert (attempt.double_post, attempt.gateway_run_id) == (True, None)
    assert (posted["readers_opened"], run_row(stand.db, run_id).state) == (0, "running")
    wait_until(lambda: deletions(stand, attempt.ephemeral_id), what="its session is to be deleted")


def test_what_was_proved_absent_and_shows_up_all_the_same_is_counted(
    stand: WorkerStand,
) -> None:
    run_id = waiting_run(stand)
    ephemeral = dead_in_the_post(stand, run_id, seconds_ago=60)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    stand.gateway.post(scripted(tokens=1), session_id=ephemeral)
    wait_until(lambda: deletions(stand, ephemeral), what="its session is to be deleted")
    assert [a.double_post for a in attempts_of(stand, run_id)] == [True, False]


def deletions(stand: WorkerStand, ephemeral: str) -> bool:
    stand.db.write(lambda s: s.execute(update(OrphanRow).values(next_at=0.0)))
    check_orphaned_runs(stand.services)
    found = select(DeletionRow).where(DeletionRow.session_id == ephemeral)
    open_ones = select(OrphanRow.id).where(OrphanRow.done_at.is_(None))
    return stand.db.read(lambda s: s.scalar(found) is not None and s.scalar(open_ones) is None)


def test_a_post_of_a_clock_that_was_set_back_is_not_waited_for_an_hour(stand: WorkerStand) -> None:
    run_id = waiting_run(stand)
    dead_in_the_post(stand, run_id, seconds_ago=-3600.0)
    began = time.monotonic()
    run_turn(stand.services, run_id)
    assert time.monotonic() - began < 60
    assert run_row(stand.db, run_id).state == "completed"
    assert is_proved(stand, run_id) == ["idle", None]
