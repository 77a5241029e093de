"""Lists of sessions: their order, their pages, their filters, on both databases."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, update

from shared.db.database import Database
from shared.db.models import SessionRow
from shared.db.sessions.list_sessions import MOST, Filter, SessionPage, counts, list_sessions
from shared.errors import InvalidPayload
from tests.support.rows import OWNER
from tests.support.turns import say


def add(db: Database, name: str, active: float, owner: str = OWNER, **columns: Any) -> None:
    values = {"profile": "default", "started_at": 1.0, "last_active": active, **columns}
    db.write(lambda tx: tx.add(SessionRow(owner=owner, id=name, **values)))


def change(db: Database, name: str, **columns: Any) -> None:
    db.write(
        lambda tx: tx.execute(update(SessionRow).where(SessionRow.id == name).values(**columns))
    )


def page(db: Database, owner: str = OWNER, **options: Any) -> SessionPage:
    return db.read(partial(list_sessions, owner=owner, **options))


def names(found: SessionPage) -> list[str]:
    return [one.info["id"] for one in found.sessions]


def test_pinned_ones_come_first_then_the_latest(db: Database) -> None:
    for name, active in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        add(db, name, active)
    add(db, "d", 0.5, pinned=True)
    add(db, "e", 9.0, archived=True)
    found = page(db)
    assert (names(found), found.total, found.next_cursor) == (["d", "b", "c", "a"], 4, None)
    assert db.read(lambda tx: counts(tx, OWNER)) == {"active": 4, "archived": 1, "pinned": 1}


def test_a_message_moves_its_session_to_the_front(db: Database) -> None:
    say(db, "a", "hello", "world")
    say(db, "b", "hi")
    assert names(page(db)) == ["b", "a"]
    say(db, "a", "again")
    found = page(db)
    assert names(found) == ["a", "b"]
    info = found.sessions[0].info
    assert (info["title"], info["preview"], info["message_count"]) == ("hello", "hello", 3) or (
        info["preview"] == "world"
    )


def test_no_session_comes_twice_while_they_move(db: Database) -> None:
    for number in range(9):
        add(db, f"s{number}", float(number))
    first = page(db, limit=3)
    assert names(first) == ["s8", "s7", "s6"]
    change(db, "s7", last_active=0.5)  # cannot happen; and still
    change(db, "s2", last_active=99.0)
    change(db, "s6", last_active=98.0)
    db.write(lambda tx: tx.execute(delete(SessionRow).where(SessionRow.id == "s5")))
    add(db, "new", 100.0)
    rest, cursor = [], first.next_cursor
    while cursor:
        following = page(db, limit=3, cursor=cursor)
        rest += names(following)
        cursor = following.next_cursor
    assert rest == ["s4", "s3", "s1", "s7", "s0"]


def test_pages_go_on_among_sessions_of_one_moment(db: Database) -> None:
    for number in range(7):
        add(db, f"s{number}", 1.1)
    seen, cursor = [], None
    for _ in range(4):
        found = page(db, limit=2, cursor=cursor)
        seen += names(found)
        cursor = found.next_cursor
    assert seen == [f"s{number}" for number in reversed(range(7))]
    assert names(page(db, limit=2, offset=2)) == seen[2:4]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(), {"a", "b", "w"}),
        (Filter(archived=None), {"a", "b", "w", "old"}),
        (Filter(archived=True), {"old"}),
        (Filter(pinned=True), {"b"}),
        (Filter(pinned=False), {"a", "w"}),
        (Filter(profile="work"), {"w"}),
        (Filter(workspace="/x"), {"a"}),
        (Filter(source="cli"), {"b"}),
        (Filter(profile="none"), set()),
    ],
)
def test_filters(db: Database, only: Filter, expected: set[str]) -> None:
    add(db, "a", 1.0, workspace="/x")
    add(db, "b", 2.0, pinned=True, source="cli")
    add(db, "w", 3.0, profile="work")
    add(db, "old", 4.0, archived=True)
    found = page(db, only=only)
    assert (set(names(found)), found.total) == (expected, len(expected))


def test_nobody_sees_sessions_of_another_owner(db: Database) -> None:
    add(db, "s", 1.0, owner="me", title="mine")
    add(db, "s", 2.0, owner="you", title="yours")
    add(db, "t", 3.0, owner="you")
    assert [one.info["title"] for one in page(db, "me").sessions] == ["mine"]
    assert page(db, "me").total == 1
    assert names(page(db, "nobody")) == []
    theirs = page(db, "you", limit=1).next_cursor
    assert names(page(db, "me", cursor=theirs)) == ["s"], "a position, which says nothing of owners"
    assert [one.info["title"] for one in page(db, "me", cursor=theirs).sessions] == ["mine"]


def test_limits_are_bounded_and_foreign_cursors_refused(db: Database) -> None:
    for number in range(3):
        add(db, f"s{number}", float(number))
    assert len(page(db, limit=0).sessions) == 1
    assert len(page(db, limit=10**9).sessions) == 3
    assert MOST >= 200
    with pytest.raises(InvalidPayload):
        page(db, cursor="x")
