"""What runs cost: kept once per run, summed by the database (both kinds)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from deploy.cli import main
from shared.db.database import Database
from shared.db.models import SessionRow, UsageRow
from shared.db.runs import claim as claims
from shared.db.runs.claim import Claim
from shared.db.runs.complete import Closing, close, replace_late
from shared.db.runs.terminal import mark_announced
from shared.db.usage_report import By, Span, UsageSum, last_days, sums, total
from shared.protocol.run_states import RunState
from tests.support.rows import OWNER, add_run, add_session

FIRST = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
ALL = Span(0.0)


def spend(db: Database, run_id: str, at: float, **columns: Any) -> None:
    """One run's usage."""
    values: dict[str, Any] = {"owner": OWNER, "session_id": "s", "profile": "default", **columns}
    db.write(lambda tx: tx.add(UsageRow(run_id=run_id, created_at=at, **values)))


def found(db: Database, by: By, span: Span = ALL) -> dict[str | None, UsageSum]:
    return {one.key: one for one in db.read(lambda tx: sums(tx, by, span))}


def test_days_are_those_of_utc_and_in_order(db: Database) -> None:
    spend(db, "c", FIRST + 86_400.0, input_tokens=4)
    spend(db, "a", FIRST + 0.001, input_tokens=1)
    spend(db, "b", FIRST + 86_399.999, input_tokens=2, output_tokens=8)
    days = found(db, By.DAY)
    assert list(days) == ["2026-03-01", "2026-03-02"]
    one = days["2026-03-01"]
    assert (one.runs, one.input_tokens, one.output_tokens) == (2, 3, 8)


def test_groups_by_model_profile_and_session_come_with_the_biggest_first(db: Database) -> None:
    spend(db, "a", FIRST, model="small", input_tokens=1, reasoning_tokens=3)
    spend(db, "b", FIRST, model="big", profile="work", input_tokens=5, cache_read_tokens=7)
    spend(db, "c", FIRST, session_id=None, output_tokens=2, cache_write_tokens=2)
    models = found(db, By.MODEL)
    assert list(models) == ["big", None, "small"]
    assert (models["big"].cache_read_tokens, models["small"].reasoning_tokens) == (7, 3)
    assert list(found(db, By.PROFILE)) == ["work", "default"]
    assert list(found(db, By.SESSION)) == ["s", None]
    assert models[None].cache_write_tokens == 2


def test_a_span_has_its_beginning_and_not_its_end(db: Database) -> None:
    for number in range(4):
        spend(db, str(number), FIRST + number, input_tokens=10**number, owner=f"o{number % 2}")
    whole = db.read(lambda tx: total(tx, Span(FIRST + 1, FIRST + 3)))
    assert (whole.key, whole.runs, whole.input_tokens) == (None, 2, 110)
    mine = db.read(lambda tx: total(tx, Span(0.0, owner="o0")))
    assert mine.input_tokens == 101


def test_costs_are_summed_and_unknown_ones_stay_unknown(db: Database) -> None:
    spend(db, "a", FIRST, estimated_cost_usd=0.25)
    spend(db, "b", FIRST, estimated_cost_usd=0.5)
    spend(db, "c", FIRST)
    whole = db.read(lambda tx: total(tx, ALL))
    assert (whole.runs, whole.estimated_cost_usd, whole.actual_cost_usd) == (3, 0.75, None)


def test_nothing_spent_is_no_group_and_a_total_of_zero(db: Database) -> None:
    assert found(db, By.DAY) == {}
    assert db.read(lambda tx: total(tx, ALL)).runs == 0


def test_the_last_days_begin_at_midnight_of_utc(db: Database) -> None:
    today = db.read(lambda tx: last_days(tx, 1))
    month = db.read(lambda tx: last_days(tx, 30))
    assert today.since % 86_400 == 0
    assert month.since == today.since - 29 * 86_400


# --- kept at the end of a run -------------------------------------------------------------------

GATEWAYS = {
    "model": "m",
    "input_tokens": 100,
    "output_tokens": 40,
    "cache_read_tokens": 30,
    "cache_write_tokens": 20,
    "reasoning_tokens": 10,
    "estimated_cost_usd": 0.5,
    "actual_cost_usd": None,
    "billing_provider": "somebody",
    "cost_status": "estimated",
}


def ended(db: Database, usage: dict[str, Any] | None, *, queue_no: int = 1) -> str:
    run_id = add_run(db, "s", queue_no=queue_no)
    claim = db.write(lambda tx: claims.claim(tx, run_id, "w", 30.0))
    assert isinstance(claim, Claim)
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=1, usage=usage)

    def work(tx: Session) -> None:
        close(tx, claim, closing)
        mark_announced(tx, run_id)

    db.write(work)
    return run_id


def session_row(db: Database) -> SessionRow:
    row = db.read(lambda tx: tx.get(SessionRow, (OWNER, "s")))
    assert row is not None
    return row


def test_the_end_of_a_run_keeps_what_the_gateway_counted(db: Database) -> None:
    add_session(db, "s")
    run_id = ended(db, GATEWAYS)
    kept = db.read(lambda tx: tx.get(UsageRow, run_id))
    assert kept is not None
    assert {name: getattr(kept, name) for name in GATEWAYS} == GATEWAYS
    assert kept.profile == "default"
    row = session_row(db)
    assert (row.cache_read_tokens, row.cache_write_tokens, row.reasoning_tokens) == (30, 20, 10)
    assert (row.estimated_cost_usd, row.actual_cost_usd) == (0.5, None)
    assert (row.billing_provider, row.cost_status) == ("somebody", "estimated")


def test_runs_add_up_and_a_late_transcript_counts_once(db: Database) -> None:
    add_session(db, "s")
    ended(db, GATEWAYS)
    second = ended(db, {"input_tokens": 1, "cache_read_tokens": 1}, queue_no=2)
    assert session_row(db).cache_read_tokens == 31
    before = db.read(lambda tx: tx.get(UsageRow, second))
    late = {**GATEWAYS, "actual_cost_usd": 0.25, "cost_status": "exact"}
    for _ in range(2):
        db.write(lambda tx: replace_late(tx, second, [], late))
    row = session_row(db)
    assert (row.cache_read_tokens, row.estimated_cost_usd, row.actual_cost_usd) == (60, 1.0, 0.25)
    assert row.cost_status == "exact"
    after = db.read(lambda tx: tx.get(UsageRow, second))
    assert before is not None
    assert after is not None
    assert (after.created_at, after.model) == (before.created_at, "m")


@pytest.mark.parametrize("odd", [-1, "12", None, True, float("nan")])
def test_odd_counts_and_costs_of_a_gateway_count_nothing(db: Database, odd: object) -> None:
    add_session(db, "s")
    ended(db, {**GATEWAYS, "reasoning_tokens": odd, "estimated_cost_usd": odd, "cost_status": 7})
    row = session_row(db)
    assert (row.reasoning_tokens, row.estimated_cost_usd, row.cost_status) == (0, None, None)


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def at_home(database_url: str, monkeypatch: pytest.MonkeyPatch, db: Database) -> Database:
    monkeypatch.setenv("DATABASE_URL", database_url)
    return db


def test_the_command_prints_a_table(at_home: Database, capsys: pytest.CaptureFixture[str]) -> None:
    add_session(at_home, "s")
    ended(at_home, GATEWAYS)
    assert main(["usage", "--by", "model"]) == 0
    head, row, last = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "model"
    assert row.split() == ["m", "1", "100", "40", "30", "20", "10", "0.5000", "-"]
    assert last.split()[:2] == ["total", "1"]


def test_the_command_speaks_json(at_home: Database, capsys: pytest.CaptureFixture[str]) -> None:
    spend(at_home, "old", FIRST, input_tokens=1)
    assert main(["usage", "--json", "--days", "1"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["by"], printed["days"], printed["sums"], printed["total"]["runs"]) == (
        "day",
        1,
        [],
        0,
    )


def test_a_database_without_schema_says_what_to_do(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main(["usage"]) == 1
    assert "holdfast migrate" in capsys.readouterr().err
