"""Who waits for a slot is told where it is, and again when that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.runs.claim import Claim, claim
from shared.db.runs.queue.claim_next import claim_next
from shared.db.sessions.read import read_conversation
from shared.protocol.run_states import RunState
from tests.support.rows import add_run, add_session
from web.api import waiting_places
from web.api.waiting_places import WaitingPlaces


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    db = Database(database_url)
    yield db
    db.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was published, instead of publishing it."""
    events: list[tuple[str, dict[str, Any]]] = []

    def publish(_log: object, name: str, **fields: Any) -> bool:
        events.append((name, fields))
        return True

    monkeypatch.setattr(waiting_places, "publish_session_event", publish)
    return events


def test_those_who_wait_are_told_their_place_once_and_again_when_it_changes(
    db: Database, told: list[tuple[str, dict[str, Any]]]
) -> None:
    places = WaitingPlaces(db, None)  # type: ignore[arg-type]
    runs = []
    for number, name in enumerate(("a", "b", "c")):
        add_session(db, name)
        runs.append(add_run(db, name, due_no=number, text=name))
        places.note("default", name, runs[-1])
    add_run(db, "c", queue_no=2, text="behind")
    places.tick()
    queued = [fields for name, fields in told if name == "run.queued"]
    assert [(one["run_id"], one["position"]) for one in queued] == list(
        zip(runs, (1, 2, 3), strict=True)
    )
    assert [one["queue_length"] for one in queued] == [1, 1, 2]
    shown = told[-1][1]["queue"]
    assert [(item["input"], item.get("position")) for item in shown] == [("c", 3), ("behind", None)]
    told.clear()
    places.tick()
    assert told == [], "nothing has moved"
    assert isinstance(db.write(lambda tx: claim_next(tx, "w", 60.0)), Claim)
    places.tick()
    moved = [(name, fields["session_id"], fields["queue"][0]["position"]) for name, fields in told]
    assert moved == [("queue.updated", "b", 1), ("queue.updated", "c", 2)]
    assert told[0][1]["queue"][0]["estimate"] >= 0.0
    assert set(places._waiting) == set(runs[1:])


def test_a_run_that_starts_while_others_are_notified_is_not_said_to_wait(
    db: Database, told: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = vars(waiting_places)["publish_session_event"]

    def publish_and_start(log: Any, name: str, **fields: Any) -> bool:
        """While the first is notified, the second starts."""
        if not told:
            db.write(lambda tx: claim(tx, second, "w", 60.0))
        return bool(publish(log, name, **fields))

    monkeypatch.setattr(waiting_places, "publish_session_event", publish_and_start)
    monkeypatch.setattr(waiting_places, "BATCH", 1)
    places = WaitingPlaces(db, None)  # type: ignore[arg-type]
    for number, name in enumerate(("a", "b")):
        add_session(db, name)
        second = add_run(db, name, due_no=number, text=name)
        places.note("default", name, second)
    places.tick()
    assert {fields["session_id"] for _, fields in told} == {"a"}


def test_who_comes_back_is_told_the_place_again(
    db: Database, told: list[tuple[str, dict[str, Any]]]
) -> None:
    places, elsewhere = (WaitingPlaces(db, None) for _ in range(2))  # type: ignore[arg-type]
    add_session(db, "a")
    run_id = add_run(db, "a", due_no=1, text="a")
    places.note("default", "a", run_id)
    places.note_shown("default", "a", run_id)
    places.tick()
    assert [name for name, _ in told] == ["run.queued", "queue.updated"]
    for process in (places, elsewhere):
        told.clear()
        process.note_shown("default", "a", run_id)
        process.tick()
        assert [(name, fields["queue"][0]["position"]) for name, fields in told] == [
            ("queue.updated", 1)
        ]
        process.tick()
        assert len(told) == 1, "nothing has moved"


@pytest.mark.parametrize(("state", "waits"), [(RunState.QUEUED, True), (RunState.RUNNING, False)])
def test_a_run_waits_for_a_slot_if_nothing_of_its_session_is_live(
    db: Database, state: RunState, waits: bool
) -> None:
    add_session(db, "a")
    first = add_run(db, "a", state=state, due_no=1, text="a")
    add_run(db, "a", queue_no=2, text="behind")
    found = db.read(lambda tx: read_conversation(tx, "default", "a"))
    assert found.first_in_line == (first if waits else None)
