"""One run for each key of an owner, on both kinds of database (R33)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from shared.db import delete_session
from shared.db.database import Database
from shared.db.models import IdempotencyKeyRow, RunRow
from shared.db.runs.accept import Accepted, NewRun, accept_once
from shared.db.runs.idempotency import key_of
from shared.db.runs.run_status import RunFilter, list_statuses, read_status
from shared.errors import IdempotencyConflict
from shared.protocol.run_states import RunState
from tests.support.turns import new_run


def new(session_id: str | None = "s", text: str = "x", owner: str = "default") -> NewRun:
    key = key_of("key", f"{session_id}{text}")
    return new_run(session_id, text, owner=owner, payload_hash="hash", key=key)


def accepted(db: Database, run: NewRun) -> Accepted:
    return accept_once(db, run, queue_cap=20, check_profile=lambda name: name)


def test_a_key_is_one_run_whatever_the_session(db: Database) -> None:
    first = accepted(db, new())
    again = accepted(db, new())
    assert (again.run_id, again.repeated) == (first.run_id, True)
    for other in (new("another"), new(None), new(text="y")):
        with pytest.raises(IdempotencyConflict):
            accepted(db, other)
    assert accepted(db, new(owner="bob")).run_id != first.run_id
    assert db.read(lambda tx: tx.scalar(select(func.count()).select_from(RunRow))) == 2


def test_two_first_requests_at_once_are_one_run(db: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = [*pool.map(lambda _: accepted(db, new(None)), range(8))]
    assert len({run.run_id for run in runs}) == 1
    assert [run.repeated for run in runs].count(False) == 1


def test_a_deleted_session_takes_its_keys_with_it(db: Database) -> None:
    first = accepted(db, new())
    db.write(lambda tx: delete_session.stop_runs(tx, "default", "s"))
    assert db.write(lambda tx: delete_session.remove(tx, "default", "s", force=True)) is not None
    assert db.read(lambda tx: tx.scalars(select(IdempotencyKeyRow.run_id)).all()) == []
    assert accepted(db, new()).run_id != first.run_id


def test_runs_are_read_and_listed_by_their_owner_only(db: Database) -> None:
    ids = [accepted(db, replace(new(), key=None)).run_id for _ in range(3)]
    accepted(db, new(owner="bob"))
    page = db.read(lambda tx: list_statuses(tx, "default", RunFilter(), after=None, limit=2))
    last = (page[-1].created_at, page[-1].id)
    rest = db.read(lambda tx: list_statuses(tx, "default", RunFilter(), after=last, limit=9))
    assert {run.id for run in [*page, *rest]} == {*ids}
    assert sorted(run.queue_position or 0 for run in [*page, *rest]) == [1, 2, 3]
    assert db.read(lambda tx: read_status(tx, "bob", ids[0])) is None
    failed = RunFilter(states=[RunState.FAILED], reasons=["x"], without_reasons=["y"])
    assert db.read(lambda tx: list_statuses(tx, "default", failed, after=None, limit=2)) == []
