"""A run always ends, whatever fails while its end is written (CASES C1; R18, R20)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import MessageRow, OrphanRow, RunRow, UsageRow
from shared.db.runs import complete
from shared.db.runs.attempts import note_attempt, record_intent
from shared.db.runs.claim import Claim, claim
from shared.db.runs.gateway_orphans import SYNC, track_orphan
from shared.errors import DatabaseUnavailable, OwnershipLost, Unavailable
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import add_run, messages, run_row
from tests.support.worker_stand import SESSION, WorkerStand
from worker import services as services_module
from worker.gateway import responses
from worker.maintenance import gateway_orphans
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.run import finish, run_turn
from worker.transcript.collect_transcript import CollectedTurn, collect_transcript

BAD = {
    "reasoning": {"a": "dict"},
    "finish_reason": {"a": "dict"},
    "tool_call_id": {"a": "dict"},
    "timestamp": 10**400,
    "reasoning_details": [{"type": "reasoning.text"}],
}


@pytest.fixture
def stand(
    make_worker: MakeWorker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> WorkerStand:
    monkeypatch.setattr(services_module, "PATIENCE", 2.0)
    return make_worker(database_url, LEASE_SECONDS=1)


def ended(stand: WorkerStand, run_id: str) -> tuple[str, str | None]:
    row = run_row(stand.db, run_id)
    assert row.terminal_seq is not None
    assert stand.names(run_id)[-1] in {"run.completed", "run.failed"}
    return row.state, row.reason


def answers(stand: WorkerStand) -> list[str]:
    return [m.content for m in messages(stand.db, SESSION) if m.role == "assistant"]


def with_bad_rows(found: CollectedTurn) -> CollectedTurn:
    rows = [{**row, **BAD} for row in found.messages.rows]
    return replace(found, messages=replace(found.messages, rows=rows))


ODD: dict[str, dict[str, Any]] = {
    "reasoning": {"reasoning": ["a", {"b": 1}]},
    "reasoning_details": {"reasoning_details": [{"type": "reasoning.text"}]},
    "finish_reason": {"finish_reason": {"a": "dict"}},
    "timestamp": {"timestamp": 10**300},
    "tool_calls": {"tool_calls": {"id": 5, "function": ["x"]}},
    "ids": {"tool_call_id": [1], "tool_name": {"a": 1}},
    "depth": {"reasoning": json.loads("[" * 600 + "]" * 600)},
    "characters": {"reasoning": "a\x00b\ud83d"},
}
ODD_SESSION: dict[str, Any] = {
    "model": {"a": "dict"},
    "input_tokens": 2**63,
    "output_tokens": 7,
    "cache_read_tokens": "many",
    "reasoning_tokens": -5,
    "actual_cost_usd": "1 $",
    "billing_provider": ["x"],
}


@pytest.mark.parametrize("field", ODD)
def test_a_transcript_with_odd_fields_is_taken_as_far_as_it_goes(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    read = responses.json_object

    def odd(answer: Any) -> Any:
        found = read(answer)
        if isinstance(found, dict) and isinstance(found.get("data"), list):
            found["data"] = [{**row, **ODD[field]} for row in found["data"]]
        if isinstance(found, dict) and isinstance(found.get("session"), dict):
            found["session"] |= ODD_SESSION
        return found

    monkeypatch.setattr(responses, "json_object", odd)
    run_id = stand.run("kept text")
    assert ended(stand, run_id) == ("completed", None)
    assert answers(stand) == ["kept text"]
    row = run_row(stand.db, run_id)
    assert row.gateway_synced
    assert (row.usage or {})["output_tokens"] == 7
    usage = stand.db.read(lambda tx: tx.scalar(select(UsageRow)))
    assert usage is not None
    assert (usage.model, usage.input_tokens, usage.output_tokens) == (row.model, 0, 7)


def exhausted(stand: WorkerStand, run_id: str) -> None:
    """Its owners have died once more than the limit allows, the last of them just now."""
    answer = stand.db.write(lambda tx: claim(tx, run_id, "dead", -1.0))
    assert isinstance(answer, Claim)
    stand.db.write(lambda tx: tx.execute(update(RunRow).values(takeovers=5)))


def posted_attempt(tx: Session, owner: Claim) -> None:
    record_intent(tx, owner, "eph_x", None)
    note_attempt(tx, owner, "eph_x", gateway_run_id="gw_1", stream_opened=True)


@pytest.mark.parametrize("field", sorted(BAD))
def test_a_closing_that_the_database_refuses_is_written_from_the_fold(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    collect = collect_transcript

    def bad(*args: Any) -> CollectedTurn:
        found = collect(*args)
        rows = [{**row, field: BAD[field]} for row in found.messages.rows]
        return replace(found, messages=replace(found.messages, rows=rows))

    monkeypatch.setattr(finish, "collect_transcript", bad)
    run_id = stand.run("kept text")
    assert ended(stand, run_id) == ("failed", "internal")
    assert answers(stand) == ["kept text"]


def test_a_usage_that_cannot_be_stored_does_not_hold_the_run(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect = collect_transcript
    usage = {"input_tokens": 2**70, "output_tokens": 1, "x": 2**70}
    monkeypatch.setattr(
        finish, "collect_transcript", lambda *args: replace(collect(*args), usage=usage)
    )
    run_id = stand.run("kept text")
    assert ended(stand, run_id)[0] == "failed"
    assert answers(stand) == ["kept text"]


def test_a_fold_that_cannot_be_closed_either_ends_the_run_with_nothing(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise ValueError("a defect")

    monkeypatch.setattr(complete, "_store_turn", broken)
    run_id = stand.run()
    assert ended(stand, run_id) == ("failed", "internal")
    assert answers(stand) == []


def test_the_next_run_of_the_session_starts_and_ends_after_such_an_end(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        collect = collect_transcript
        patched.setattr(finish, "collect_transcript", lambda *args: with_bad_rows(collect(*args)))
        stand.run("one")
    assert ended(stand, stand.run("two")) == ("completed", None)
    assert answers(stand) == ["one", "two"]


@pytest.mark.parametrize("error", [OwnershipLost, DatabaseUnavailable])
def test_who_lost_the_run_or_the_database_ends_nothing(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def away(*_: object) -> Any:
        raise error()

    monkeypatch.setattr(finish, "close", away)
    run_id = stand.queue()
    if error is OwnershipLost:
        run_turn.run_turn(stand.services, run_id)
    else:
        with pytest.raises(Unavailable):
            run_turn.run_turn(stand.services, run_id)
    assert run_row(stand.db, run_id).terminal_seq is None


def test_the_limit_of_takeovers_does_not_read_the_transcript_that_killed_them(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(*_: object) -> Any:
        raise AssertionError("the transcript was read again")

    monkeypatch.setattr(finish, "collect_transcript", deadly)
    run_id = stand.queue()
    exhausted(stand, run_id)
    run_turn.run_turn(stand.services, run_id)
    assert ended(stand, run_id) == ("failed", "worker_lost")


def test_the_limit_of_takeovers_ends_a_run_whose_log_cannot_be_opened(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise KeyError("a checkpoint of another version")

    monkeypatch.setattr(run_turn, "open_turn", broken)
    run_id = stand.queue()
    with pytest.raises(KeyError):  # another worker may be able to
        run_turn.run_turn(stand.services, run_id)
    stand.db.write(lambda tx: tx.execute(update(RunRow).values(takeovers=5, lease_until=1.0)))
    run_turn.run_turn(stand.services, run_id)
    assert ended(stand, run_id) == ("failed", "worker_lost")


def test_a_given_up_run_leaves_no_run_at_the_gateway(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise KeyError("a checkpoint of another version")

    run_id = add_run(stand.db, SESSION, text=scripted(tokens=1))
    answer = stand.db.write(lambda tx: claim(tx, run_id, "dead", -1.0))
    assert isinstance(answer, Claim)
    stand.db.write(lambda tx: posted_attempt(tx, answer))
    stand.db.write(lambda tx: tx.execute(update(RunRow).values(takeovers=5)))
    monkeypatch.setattr(run_turn, "open_turn", broken)
    run_turn.run_turn(stand.services, run_id)
    orphans = stand.db.read(lambda tx: list(tx.scalars(select(OrphanRow))))
    assert [(o.kind, o.gateway_run_id) for o in orphans] == [("stop", "gw_1")]


def test_a_value_that_the_database_cannot_take_is_no_absent_database(database_url: str) -> None:
    upgrade(database_url)
    db = Database(database_url)
    row = {"owner": "o", "session_id": "s", "idx": 1, "role": "user", "timestamp": 1.0}
    try:
        for value in (["a list"], {"a": 1}):
            bad = insert(MessageRow).values(**row, content=value)
            with pytest.raises(Exception) as caught:  # noqa: PT011 - each driver has its own
                db.write(lambda tx, bad=bad: tx.execute(bad))  # type: ignore[misc]
            assert not isinstance(caught.value, Unavailable)
    finally:
        db.close()


def test_one_broken_orphan_does_not_hold_up_the_others(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(tx: Session) -> None:
        for n in (1, 2):
            track_orphan(
                tx,
                run_id=f"run_{n}",
                profile="default",
                kind=SYNC,
                ephemeral_id=f"eph_{n}",
                gateway_run_id=f"gw_{n}",
            )

    checked: list[str] = []

    def broken(_: object, orphan: Any) -> bool:
        checked.append(orphan.run_id)
        if orphan.run_id == "run_1":
            raise TypeError("a defect")
        return True

    stand.db.write(add)
    monkeypatch.setattr(gateway_orphans, "fetch_late_transcript", broken)
    stand.db.write(lambda tx: tx.execute(update(OrphanRow).values(next_at=0.0)))
    check_orphaned_runs(stand.services)
    assert checked == ["run_1", "run_2"]
    rows = stand.db.read(lambda tx: list(tx.scalars(select(OrphanRow).order_by(OrphanRow.id))))
    assert [(row.done_at is None, row.tries) for row in rows] == [(True, 1), (False, 0)]
