"""Runs that are silent, ask a person, or cannot be done: their clocks, and no second try (R8)."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, update

from shared.db.models import ApprovalRow, RunRow
from shared.db.runs.approvals import answer, unsent_answer
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import add_run, run_row
from tests.support.servers.processes import wait_until
from tests.support.worker_stand import SESSION, WorkerStand
from worker.gateway.client import GatewayClient
from worker.gateway.models import RunStatus
from worker.maintenance import approval_delivery, reaper
from worker.maintenance.approval_delivery import answer_approval
from worker.maintenance.reaper import Reaper
from worker.maintenance.stop_run import stop_run
from worker.run.run_turn import run_turn

DEADLINE = 2.0


@pytest.fixture
def stand(make_worker: MakeWorker) -> WorkerStand:
    return make_worker(LEASE_SECONDS=1, STOP_TIMEOUT=1, WATCHDOG_SECONDS=0.3, RUN_DEADLINE=DEADLINE)


def waiting_run(stand: WorkerStand, **script: object) -> str:
    return add_run(stand.db, SESSION, text=scripted(**{"tokens": 5, **script}))


def is_asked(stand: WorkerStand, run_id: str) -> bool:
    turn = stand.services.turns.get(run_id)
    return (
        turn is not None and bool(turn.run_log.state_events.open_approvals()) and turn.run_log.idle
    )


def allow(stand: WorkerStand, run_id: str) -> int:
    """A person's answer is written down; its number."""
    (asked,) = stand.services.turns[run_id].run_log.state_events.open_approvals()
    stand.db.write(lambda s: answer(s, run_id, asked["seq"], "once"))
    return int(asked["seq"])


def test_a_run_that_takes_too_long_is_stopped_and_fails(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, tokens=400, rate=20)
    began = time.monotonic()
    run_turn(stand.services, run_id)
    assert time.monotonic() - began < DEADLINE + 5
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "timeout")
    assert stand.posts("eph")[0]["status"] == "cancelled"


def test_a_run_that_took_too_long_and_is_forgotten_then_was_stopped_by_nobody(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = GatewayClient.status

    def forgetful(gateway: GatewayClient, gateway_run: str) -> RunStatus | None:
        late = any(turn.timed_out for turn in stand.services.turns.values())
        return None if late else asked(gateway, gateway_run)

    monkeypatch.setattr(GatewayClient, "status", forgetful)
    run_id = waiting_run(stand, tokens=400, rate=20, cut=5)
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "timeout")


@pytest.mark.parametrize("cut", [False, True])
def test_the_time_in_which_a_person_is_asked_does_not_count(stand: WorkerStand, cut: bool) -> None:
    run_id = waiting_run(stand, approval={"after": 2})
    thread = stand.begin(run_id)
    wait_until(lambda: is_asked(stand, run_id), what="the question")
    if cut:
        stand.services.turns[run_id].signals.cut_stream()  # the status is polled from now on
    time.sleep(DEADLINE + 1)  # what is tested is the time that passes
    assert thread.is_alive()
    answer_approval(stand.services, run_id, allow(stand, run_id))
    thread.join(10)
    assert run_row(stand.db, run_id).state == "completed"


def test_a_question_that_the_gateway_dropped_does_not_stop_the_clock(stand: WorkerStand) -> None:
    tool = {"after": 3, "name": "sleep", "seconds": 15}
    run_id = waiting_run(stand, approval={"after": 2, "timeout": 0.2}, tools=[tool])
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).reason == "timeout"


def test_a_tool_that_is_silent_for_long_is_neither_lost_nor_done_again(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.run.poll_status.POLL_EVERY", 0.1)
    sent: list[str] = []
    for name in ("run_turn", "take_over"):
        monkeypatch.setattr(stand.services.queue, name, lambda run_id, **_: sent.append(run_id))
    # More than the lease, the watchdog and the reaper's patience, less than the deadline.
    run_id = waiting_run(stand, tools=[{"after": 2, "name": "sleep", "seconds": 1.8}], rate=0)
    watcher = Reaper(stand.services)
    watcher.tick()
    thread = stand.begin(run_id)
    wait_until(lambda: run_row(stand.db, run_id).state == "running", what="it is claimed")
    sent.clear()  # while it was due, it had no message
    while thread.is_alive():
        watcher.tick()
        thread.join(0.2)
    assert run_row(stand.db, run_id).state == "completed"
    assert sent == []
    (posted,) = stand.posts("eph")
    assert (posted["readers_opened"], posted["stops"]) == (1, 0)
    assert "run.reattached" not in stand.names(run_id)


def test_a_stream_without_any_sign_of_life_is_given_up_and_the_run_is_not(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.run.watchdog.SILENCE", 0.5)
    monkeypatch.setattr("worker.run.poll_status.POLL_EVERY", 0.1)
    run_id = waiting_run(
        stand, tokens=4, tools=[{"after": 2, "name": "sleep", "seconds": 1.8}], rate=0
    )
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert stand.names(run_id).count("run.reattached") == 1
    said = [event["delta"] for name, event in stand.events(run_id) if name == "message.delta"]
    assert "".join(said) == "t1 t2 t3 t4 "
    (posted,) = stand.posts("eph")
    assert (posted["readers_opened"], posted["stops"]) == (1, 0)


def test_an_answer_whose_task_was_lost_is_sent_by_the_reaper(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = waiting_run(stand, approval={"after": 2})
    thread = stand.begin(run_id)
    wait_until(lambda: is_asked(stand, run_id), what="the question")
    asked = allow(stand, run_id)
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(stand.services.queue, "answer_approval", lambda *task: sent.append(task))
    Reaper(stand.services).tick()
    assert sent == []
    earlier = ApprovalRow.answered_at - reaper.UNSENT_AFTER - 1
    stand.db.write(lambda s: s.execute(update(ApprovalRow).values(answered_at=earlier)))
    Reaper(stand.services).tick()
    assert sent == [(run_id, asked)]
    answer_approval(stand.services, run_id, asked)
    thread.join(10)
    assert run_row(stand.db, run_id).state == "completed"
    assert stand.db.read(lambda s: s.scalar(select(ApprovalRow.outcome))) == "done"


def test_an_answer_whose_task_came_twice_is_sent_once(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve, sent = GatewayClient.approve, []

    def counted(gateway: GatewayClient, gateway_run: str, choice: str) -> bool:
        sent.append(choice)
        return approve(gateway, gateway_run, choice)

    monkeypatch.setattr(GatewayClient, "approve", counted)
    run_id = waiting_run(stand, approval={"after": 2})
    thread = stand.begin(run_id)
    wait_until(lambda: is_asked(stand, run_id), what="the question")
    asked = allow(stand, run_id)
    unsent = stand.db.read(lambda tx: unsent_answer(tx, run_id, asked))
    # Both read the answer before one of them begins to send it.
    monkeypatch.setattr(approval_delivery, "unsent_answer", lambda *_: unsent)
    for _ in range(2):
        answer_approval(stand.services, run_id, asked)
    thread.join(10)
    assert sent == ["once"]
    assert run_row(stand.db, run_id).state == "completed"


def test_a_run_whose_profile_is_gone_fails_and_the_next_one_starts(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(stand.services.queue, "run_turn", lambda run_id, **_: sent.append(run_id))
    run_id = waiting_run(stand)
    following = add_run(stand.db, SESSION, text=scripted(tokens=2), queue_no=2)
    gone = update(RunRow).where(RunRow.id == run_id).values(profile="vanished")
    stand.db.write(lambda s: s.execute(gone))
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason, row.announced_at is None) == ("failed", "gateway_error", False)
    assert "vanished" in str(stand.event(run_id, "run.failed")["error"])
    assert sent == [following]
    run_turn(stand.services, following)
    assert run_row(stand.db, following).state == "completed"


def has_started(stand: WorkerStand, run_id: str) -> bool:
    turn = stand.services.turns.get(run_id)
    return turn is not None and turn.run_log.transcript.produced_text


def test_a_stop_that_any_worker_sends_reaches_every_attempt(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, tokens=5000, rate=20)
    thread = stand.begin(run_id)
    wait_until(lambda: has_started(stand, run_id), what="it is posted")
    stop_run(stand.services, run_id)
    assert stand.posts("eph")[0]["stops"] == 1
    thread.join(10)
    assert run_row(stand.db, run_id).state == "failed"  # nobody of ours had asked for it
