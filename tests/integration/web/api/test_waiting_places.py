"""Who waits for a slot is told where it is, and again when that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.runs.claim import Claim
from shared.db.runs.queue.claim_next import claim_next
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
