"""Gateways that replay a run's events: the live text goes on after a cut or a lost owner (R1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import update

from shared.db.models import RunRow
from shared.db.runs.attempts import note_attempt, record_intent
from shared.db.runs.claim import Claim, claim
from shared.event_log.store import Batch
from shared.protocol.events import encode
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.rows import add_run, messages, run_row
from tests.support.servers.processes import wait_until
from tests.support.worker_stand import SESSION, WorkerStand
from worker.drain import hand_over
from worker.gateway.client import GatewayClient
from worker.run.run_turn import run_turn

TOOLS = [{"after": 20, "name": "ls", "output": "a b"}]
KEY = "a-key-of-the-replays"


@pytest.fixture(scope="module")
def gateways() -> Iterator[dict[bool, DemoGateway]]:
    """With replay, and without."""
    with (
        DemoGateway.start(key=KEY, max_runs=0, session_delay=0.0, replay=True) as yes,
        DemoGateway.start(key=KEY, max_runs=0, session_delay=0.0) as no,
    ):
        yield {True: yes, False: no}


@pytest.fixture(params=[(True, 2**20)])
def stand(
    request: pytest.FixtureRequest, make_worker: MakeWorker, gateways: dict[bool, DemoGateway]
) -> WorkerStand:
    replays, checkpoint_bytes = request.param
    return make_worker(
        at=gateways[replays],
        LEASE_SECONDS=2,
        STOP_TIMEOUT=1,
        WATCHDOG_SECONDS=0.3,
        CHECKPOINT_BYTES=checkpoint_bytes,
    )


def waiting_run(stand: WorkerStand, **script: object) -> str:
    return add_run(stand.db, SESSION, text=scripted(**{"tokens": 60, "rate": 100, **script}))


def numbered(count: int) -> str:
    return "".join(f"t{n} " for n in range(1, count + 1))


def text(stand: WorkerStand) -> str:
    """The stored answer."""
    return "".join(m.content for m in messages(stand.db, SESSION) if m.role == "assistant")


def is_past(stand: WorkerStand, run_id: str, seq: int) -> bool:
    turn = stand.services.turns.get(run_id)
    return turn is not None and turn.run_log.head > seq


def texts_of(stand: WorkerStand, run_id: str) -> dict[str, str]:
    """What the run's log says, by the name of the event."""
    seen: dict[str, str] = defaultdict(str)
    for name, payload in stand.events(run_id):
        seen[name] += next(
            (str(payload[k]) for k in ("delta", "text", "tool", "mode") if k in payload), "."
        )
    return seen


def test_a_cut_stream_is_opened_again_and_nothing_comes_twice(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, tools=TOOLS, cut=30, reasoning=3)
    run_turn(stand.services, run_id)
    seen = texts_of(stand, run_id)
    assert (seen["message.delta"], seen["reasoning.delta"]) == (numbered(60), "r1 r2 r3 ")
    assert (seen["tool.started"], seen["tool.completed"]) == ("ls", "ls")
    assert (seen["run.reattached"], seen["run.completed"]) == ("replay", ".")


@pytest.mark.parametrize("stand", [(True, 2**20), (True, 2000)], indirect=True)
def test_a_run_that_is_handed_over_goes_on_live_where_it_stood(stand: WorkerStand) -> None:
    run_id = waiting_run(stand, tools=TOOLS, tokens=100, rate=20)
    for _ in range(2):
        seq = run_row(stand.db, run_id).last_seq + 4
        thread = stand.begin(run_id)
        wait_until(partial(is_past, stand, run_id, seq), what="some text")
        hand_over(stand.services, stand.services.turns[run_id])
        thread.join(10)
    run_turn(stand.services, run_id)
    seen = texts_of(stand, run_id)
    if stand.services.settings.checkpoint_bytes > 2000:
        assert seen["message.delta"] == numbered(100)
        assert (seen["run.reattached"], seen["tool.started"]) == ("replayreplay", "ls")
    assert "resync" not in stand.event(run_id, "run.completed")
    assert text(stand).strip() == numbered(100).strip()
    (posted,) = stand.posts("eph")
    assert posted["readers_opened"] >= 2  # an owner may be gone before it has opened it


@pytest.mark.parametrize("stand", [(False, 2**20)], indirect=True)
def test_a_gateway_that_promises_a_replay_and_is_silent_holds_nothing_up(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GatewayClient, "replays", lambda _: True)
    run_id = waiting_run(stand, tokens=100, cut=20)
    run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).state == "completed"
    assert text(stand).strip() == numbered(100).strip()


@pytest.mark.parametrize("stand", [(False, 2**20)], indirect=True)
def test_a_stream_that_is_another_one_is_not_mixed_with_what_was_shown(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GatewayClient, "replays", lambda _: True)
    run_id = waiting_run(stand)
    owner = stand.db.write(lambda s: claim(s, run_id, "dead", 60.0))
    assert isinstance(owner, Claim)
    log = stand.services.event_log
    log.install(owner.keys, fence=1, epoch=1, min_head=0, create=True)
    common = {"run_id": run_id, "session_id": SESSION, "epoch": 1}
    entries = tuple(
        encode(name, {"event": name, **payload, **common, "seq": seq})
        for seq, (name, payload) in enumerate(
            [
                ("message.delta", {"delta": "t1 t2 "}),
                ("tool.started", {"tool": "ls"}),
                ("tool.completed", {"tool": "ls"}),
            ],
            start=1,
        )
    )
    log.append([Batch(owner.keys, 1, 0, entries)])
    stand.db.write(lambda s: record_intent(s, owner, "eph_other", None))
    gateway_run = stand.gateway.post(scripted(tokens=10), session_id="eph_other")
    noted = {"gateway_run_id": gateway_run, "stream_opened": True}
    stand.db.write(lambda s: note_attempt(s, owner, "eph_other", **noted))
    stand.db.write(lambda s: s.execute(update(RunRow).values(lease_until=0.0)))
    run_turn(stand.services, run_id)
    shown = "".join(str(p["delta"]) for n, p in stand.events(run_id) if n == "message.delta")
    assert shown.startswith("t1 t2 ")
    assert "t3 t4" not in shown
    assert run_row(stand.db, run_id).state == "completed"
    assert {p["mode"] for n, p in stand.events(run_id) if n == "run.reattached"} == {"replay"}
