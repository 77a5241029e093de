"""A POST whose answer was lost, at gateways that keep its key (R2)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from shared.db.models import AttemptRow
from shared.db.runs.attempts import record_intent
from shared.db.runs.claim import Claim, claim
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.rows import add_run, run_row
from tests.support.worker_stand import SESSION, WorkerStand
from worker.gateway.client import GatewayClient
from worker.gateway.ephemeral_sessions import ephemeral_id
from worker.gateway.models import Capabilities
from worker.run.run_turn import run_turn

TEXT = [f"t{n}" for n in range(1, 6)]


@pytest.fixture(scope="module")
def keeper() -> Iterator[DemoGateway]:
    """A gateway that keeps keys."""
    with DemoGateway.start(
        key="a-key-of-the-keeper", max_runs=0, session_delay=0.0, idempotent=True
    ) as started:
        yield started


@pytest.fixture
def stand(make_worker: MakeWorker, keeper: DemoGateway) -> WorkerStand:
    return make_worker(
        at=keeper, LEASE_SECONDS=2, POST_TIMEOUT=1, POST_MARGIN=0.2, START_DEADLINE=3
    )


def waiting_run(stand: WorkerStand, **script: object) -> str:
    return add_run(stand.db, SESSION, text=scripted(**{"tokens": 5, **script}))


def attempts_of(stand: WorkerStand, run_id: str) -> list[AttemptRow]:
    query = select(AttemptRow).where(AttemptRow.run_id == run_id).order_by(AttemptRow.fence)
    return stand.db.read(lambda tx: list(tx.scalars(query)))


def said(stand: WorkerStand, run_id: str) -> list[str]:
    deltas = [p["delta"] for name, p in stand.events(run_id) if name == "message.delta"]
    return "".join(deltas).split()


@pytest.mark.parametrize("accepted", [True, False])
def test_a_lost_answer_is_asked_for_again_and_the_run_is_done_once(
    stand: WorkerStand, *, accepted: bool
) -> None:
    stand.gateway.faults(post_reset=True, accepted=accepted, count=1)
    run_id = waiting_run(stand)
    began = time.monotonic()
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert time.monotonic() - began < 15, "no proof had to be waited for"
    (attempt,) = attempts_of(stand, run_id)
    (post,) = stand.posts("eph")
    assert attempt.gateway_run_id == post["run_id"]
    assert said(stand, run_id) == TEXT
    assert stand.event(run_id, "run.retrying")["reason"] == "post_uncertain"


def test_an_answer_may_be_lost_more_than_once(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.gateway.faults(post_reset=True, accepted=False, count=3)
    run_id = waiting_run(stand)
    monkeypatch.setattr("worker.run.repeat_post.PAUSE", 0.1)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert len(stand.posts("eph")) == len(attempts_of(stand, run_id)) == 1
    assert stand.names(run_id).count("run.retrying") == 1


def die_in_the_post(stand: WorkerStand, run_id: str, *, other: bool = False) -> None:
    """An owner that died after its POST had arrived; `other`: with another request."""
    owner = stand.db.write(lambda s: claim(s, run_id, "dead", -1.0))
    assert isinstance(owner, Claim)
    ephemeral = ephemeral_id("eph", stand.installation)
    stand.db.write(lambda s: record_intent(s, owner, ephemeral, None))
    body = {"input": owner.input, "session_id": ephemeral}
    headers = {"Idempotency-Key": run_id}
    extra = {"instructions": "Be brief."} if other else {}
    answer = stand.gateway.request("POST", "/v1/runs", json=body | extra, headers=headers)
    assert answer.status_code == 202


def test_the_next_owner_gets_the_run_of_a_post_whose_sender_died(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, tokens=5)
    die_in_the_post(stand, run_id)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert len(stand.posts("eph")) == 1
    assert said(stand, run_id) == TEXT
    assert len(attempts_of(stand, run_id)) == 1


def test_another_request_under_the_key_is_not_done_beside_the_first(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, tokens=2000, rate=100)
    die_in_the_post(stand, run_id, other=True)
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "post_uncertain")
    assert len(stand.posts("eph")) == 1


def test_a_gateway_that_promises_nothing_is_sent_nothing_again(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_worker(LEASE_SECONDS=2, POST_TIMEOUT=1, POST_MARGIN=0.2, START_DEADLINE=1)
    stand.gateway.faults(post_reset=True, accepted=True, count=1)
    run_id = waiting_run(stand, tokens=500, rate=100)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).reason == "post_uncertain"
    assert len(stand.posts("eph")) == 1


def test_a_new_attempt_is_refused_by_a_gateway_that_has_the_old_one(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a proof that was none: the key is the run's, so that no run is done twice."""
    monkeypatch.setattr(GatewayClient, "capabilities", lambda _: Capabilities())
    monkeypatch.setattr("worker.run.run_turn.prove_absent", lambda *_: None)
    run_id = waiting_run(stand, tokens=2000, rate=100)
    die_in_the_post(stand, run_id)
    run_turn(stand.services, run_id)
    row = run_row(stand.db, run_id)
    assert (row.state, row.reason) == ("failed", "post_uncertain")
    assert len(stand.posts("eph")) == 1
    assert [a.never_sent for a in attempts_of(stand, run_id)] == [False, True]
