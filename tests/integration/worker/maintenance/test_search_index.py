"""The job that adds search terms to rows without, on both databases."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import MessageRow
from shared.db.search import index
from shared.db.sessions.list_sessions import list_sessions
from shared.errors import DatabaseUnavailable
from tests.integration.conftest import MakeWorker
from tests.support.rows import OWNER, add_run
from tests.support.turns import ask, end
from tests.support.worker_stand import SESSION, WorkerStand
from worker.maintenance import search_index
from worker.maintenance.search_index import SearchIndex, add_search_terms


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url)


def found(stand: WorkerStand, query: str) -> int:
    page = stand.db.read(partial(list_sessions, owner=OWNER, query=query))
    return sum(one.match.messages for one in page.sessions if one.match is not None)


def test_all_rows_get_their_terms_in_short_transactions(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.index_some, "__defaults__", (2,))
    for number in range(5):
        add_run(stand.db, SESSION, text=f"needle {number}", queue_no=number)
    assert add_search_terms(stand.services) == 5
    assert found(stand, "needle") == 5
    assert add_search_terms(stand.services) == 0


def test_what_does_not_fit_into_the_time_is_left_for_the_next_call(stand: WorkerStand) -> None:
    add_run(stand.db, SESSION, text="needle")
    assert add_search_terms(stand.services, within=0.0) == 0
    assert found(stand, "needle") == 0
    assert add_search_terms(stand.services) == 1
    assert found(stand, "needle") == 1


def test_a_row_that_cannot_be_indexed_stops_no_others(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, text in enumerate(("needle 1", "broken", "needle 2")):
        add_run(stand.db, SESSION, text=text, queue_no=number)
    values = index._values

    def breaks(owner: str, session_id: str, message_id: int, terms: list[str]) -> Any:
        if "broken" in terms:
            raise ValueError("a defect")
        return values(owner, session_id, message_id, terms)

    monkeypatch.setattr(index, "_values", breaks)
    add_search_terms(stand.services)
    assert found(stand, "needle") == 2
    left = stand.db.read(
        lambda tx: tx.scalars(select(MessageRow.id).where(MessageRow.indexed_by.is_(None))).all()
    )
    assert left == []
    assert add_search_terms(stand.services) == 0


def test_an_answer_is_found_after_a_tick(stand: WorkerStand) -> None:
    run_id = ask(stand.db, SESSION, "prompt")
    end(stand.db, run_id, {"role": "assistant", "content": "needle"})
    assert found(stand, "needle") == 0
    SearchIndex(stand.services).tick()
    assert found(stand, "needle") == 1


def test_a_tick_while_another_works_leaves_it_alone(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, calls = SearchIndex(stand.services), []

    def works(services: object) -> int:
        calls.append(services)
        job.tick()
        return 0

    monkeypatch.setattr(search_index, "add_search_terms", works)
    add_run(stand.db, SESSION, text="needle")
    job.tick()
    assert len(calls) == 1
    job.tick()
    assert len(calls) == 2


def test_without_a_database_it_waits(stand: WorkerStand, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(tx: Session) -> int:
        raise DatabaseUnavailable

    monkeypatch.setattr(index, "index_some", fails)
    assert add_search_terms(stand.services) == 0
