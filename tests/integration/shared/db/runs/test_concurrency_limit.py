"""Permits: how many runs of a profile are live at once; the oldest starts first (R7)."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.runs.claim import Claim, Refusal, Refused, claim
from shared.db.runs.ownership import put_back
from shared.db.runs.queue.claim_next import claim_next
from shared.db.runs.queue.due import START, number_missed
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import add_run, add_session, run_row
from tests.support.servers.processes import wait_until
from tests.support.worker_stand import WorkerStand
from worker.run.run_turn import RunReport, run_next, run_turn


def queued(db: Database, *created: float) -> list[str]:
    """Runs of sessions of their own, accepted at these times."""
    names = [f"session-{number}" for number in range(len(created))]
    for name in names:
        add_session(db, name)
    return [add_run(db, name, created_at=at) for name, at in zip(names, created, strict=True)]


def ask(db: Database, run_id: str, most: int) -> Claim | Refused:
    return db.write(lambda s: claim(s, run_id, "w", 60.0, lambda profile: most))


def why(db: Database, run_id: str, most: int) -> str | None:
    answer = ask(db, run_id, most)
    return answer.why if isinstance(answer, Refused) else None


def test_no_more_runs_of_a_profile_are_live_than_it_may_have(db: Database) -> None:
    runs = queued(db, 1.0, 2.0, 3.0)
    assert [why(db, run, 2) for run in runs] == [None, None, Refusal.NO_PERMIT]
    assert run_row(db, runs[2]).state == "queued"
    db.write(lambda s: s.execute(update(RunRow).where(RunRow.id == runs[2]).values(profile="b")))
    assert why(db, runs[2], 2) is None


def test_without_a_limit_all_start(db: Database) -> None:
    assert [why(db, run, 0) for run in queued(db, 1.0, 2.0, 3.0)] == [None, None, None]


def test_a_younger_run_does_not_take_the_permit_of_an_older_one(db: Database) -> None:
    young, old = queued(db, 2.0, 1.0)
    db.write(lambda s: number_missed(s, START, 10))
    claimed = db.write(lambda s: claim_next(s, "w", 60.0, lambda profile: 1))
    assert isinstance(claimed, Claim)
    assert claimed.run_id == old
    assert db.write(lambda s: claim_next(s, "w", 60.0, lambda profile: 1)) is None
    assert why(db, young, 1) is Refusal.NO_PERMIT


def test_a_run_that_cannot_start_anyway_delays_no_other(db: Database) -> None:
    waiting, other = queued(db, 1.0, 2.0)
    first = ask(db, waiting, 1)
    assert isinstance(first, Claim)
    add_run(db, "session-0", queue_no=2, created_at=1.5)
    db.write(lambda s: put_back(s, first, last_seq=0, delay=60.0))
    assert why(db, other, 1) is None


def test_a_run_of_a_dead_worker_needs_no_new_permit(db: Database) -> None:
    (run_id,) = queued(db, 1.0)
    assert isinstance(ask(db, run_id, 1), Claim)
    db.write(lambda s: s.execute(update(RunRow).values(lease_until=0.0)))
    assert isinstance(ask(db, run_id, 1), Claim)


def test_many_claims_at_once_get_no_more_permits_than_there_are(db: Database) -> None:
    runs = queued(db, *(float(n) for n in range(8)))
    answers: list[str | None] = []
    threads = [
        threading.Thread(target=lambda run=run: answers.append(why(db, run, 3))) for run in runs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    live = [run for run in runs if run_row(db, run).state == "running"]
    assert len(answers) == 8
    assert len(live) == 3


def test_a_second_claim_counts_after_the_first(db: Database) -> None:
    runs = queued(db, 2.0, 1.0)
    older = update(RunRow).where(RunRow.id == runs[1])
    db.write(lambda s: s.execute(older.values(not_before=time.time() + 100.0)))
    claimed = threading.Event()

    def slowly(tx: Session) -> None:
        claim(tx, runs[0], "w", 60.0, lambda profile: 1)
        claimed.set()
        time.sleep(0.5)  # its transaction is open while the other one asks

    first = threading.Thread(target=db.write, args=(slowly,))
    first.start()
    claimed.wait(10)
    db.write(lambda s: s.execute(older.values(not_before=None)))
    assert why(db, runs[1], 1) is Refusal.NO_PERMIT
    first.join(10)


@pytest.fixture
def stand(make_worker: MakeWorker) -> WorkerStand:
    return make_worker(session=False, GATEWAY_MAX_RUNS=1, START_DEADLINE=3)


def test_a_permit_that_is_free_again_wakes_the_oldest_that_waits(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(stand.services.queue, "run_turn", lambda run_id, **_: woken.append(run_id))
    for name in ("a", "b", "c"):
        add_session(stand.db, name)
    text = scripted(tokens=30, rate=50)
    first, second, third = (
        add_run(stand.db, name, text=text, created_at=float(at))
        for at, name in enumerate(("a", "b", "c"), start=1)
    )
    stand.db.write(lambda tx: number_missed(tx, START, 10))
    thread = stand.begin(first)
    wait_until(lambda: run_row(stand.db, first).state == "running", what="it is claimed")
    assert [run_next(stand.services, other) for other in (third, second)] == [None, None]
    assert [run_row(stand.db, run).fence for run in (second, third)] == [0, 0]
    assert woken == []
    thread.join(20)
    assert woken == [second]
    report = run_next(stand.services, third)
    assert report == RunReport(second, "b", "completed"), "the message named another one"
    assert woken == [second, third]
    assert run_row(stand.db, third).state == "queued"


def test_a_gateway_without_capacity_is_asked_less_and_less_often(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.run.submit.RETRY_FIRST", 0.1)
    delays: list[float] = []
    monkeypatch.setattr(stand.services.queue, "run_turn", lambda _, delay=0.0: delays.append(delay))
    add_session(stand.db, "a")
    stand.gateway.faults(post_status=429, retry_after=1)
    run_id = add_run(stand.db, "a", text=scripted(tokens=1))

    def waited() -> bool:
        run_turn(stand.services, run_id)
        return run_row(stand.db, run_id).state == "failed"

    wait_until(waited, within=15, what="the deadline")
    row = run_row(stand.db, run_id)
    assert row.reason == "start_deadline"
    assert 1 <= len(delays) <= 4
    assert min(delays) >= 0.9
