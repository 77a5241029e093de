"""A copy of a session is a session of its own (both databases)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from shared.db.database import Database
from shared.db.delete_session import remove
from shared.db.models import SessionRow, SnapshotRow
from shared.db.runs.complete import replace_late
from shared.db.search.index import index_some
from shared.db.sessions import fork_session as forks
from shared.db.sessions.fork_session import fork_session
from shared.db.sessions.list_sessions import list_sessions
from shared.db.sessions.session_info import Info
from shared.db.sessions.stored_bytes import sum_of
from shared.errors import InvalidTitle, NotFound, SessionExists
from tests.support.rows import OWNER, messages
from tests.support.turns import ask, begin, end, say


def fork(db: Database, new_id: str = "copy", owner: str = OWNER, **options: Any) -> Info:
    work = partial(fork_session, owner=owner, session_id="s", new_id=new_id, **options)
    return db.write(work)


def texts(db: Database, name: str = "copy") -> list[str]:
    return [row.content for row in messages(db, name)]


def found(db: Database, query: str) -> set[str]:
    page = db.read(partial(list_sessions, owner=OWNER, query=query))
    return {one.info["id"] for one in page.sessions}


def test_a_session_is_copied_and_goes_on_by_itself(db: Database) -> None:
    run_id = say(db, "s", "one", "uno", "eins")
    say(db, "s", "two", "dos")
    db.write(lambda tx: tx.execute(update(SessionRow).values(workspace="/w\n", model="m" * 300)))
    info = fork(db)
    assert texts(db) == ["one", "uno", "eins", "two", "dos"]
    assert [(row.turn_no, row.idx, row.run_id) for row in messages(db, "copy")][3:] == [
        (2, 0, None),
        (2, 1, None),
    ]
    assert (info["title"], info["parent_session_id"], info["preview"]) == ("one #2", "s", "dos")
    assert (info["workspace"], info["model"], info["message_count"]) == ("/w\n", "m" * 300, 5)
    assert info["stored_bytes"] == db.read(lambda tx: sum_of(tx, OWNER, "copy"))
    db.write(lambda tx: replace_late(tx, run_id, [{"role": "assistant", "content": "late"}], None))
    db.write(lambda tx: remove(tx, OWNER, "s", force=True))
    say(db, "copy", "three", "tres")
    assert texts(db) == ["one", "uno", "eins", "two", "dos", "three", "tres"]
    assert [row.turn_no for row in messages(db, "copy")][-2:] == [3, 3]
    assert found(db, "eins") == found(db, "dos") == {"copy"}


def test_it_ends_with_the_message_that_was_chosen(db: Database) -> None:
    say(db, "s", "one", "uno", "eins")
    say(db, "s", "two", "dos")
    ids = {row.content: row.id for row in messages(db, "s")}
    fork(db, "a", up_to=ids["uno"])
    fork(db, "b", up_to=ids["two"])
    assert texts(db, "a") == ["one", "uno"]
    assert texts(db, "b") == ["one", "uno", "eins", "two"]
    assert found(db, "eins") == {"s", "b"}
    say(db, "other", "three")
    foreign = messages(db, "other")[0].id
    for wrong in (foreign, 10**9, -1):
        with pytest.raises(NotFound):
            fork(db, "c", up_to=wrong)


def test_what_waits_or_is_live_is_not_copied(db: Database) -> None:
    say(db, "s", "one", "uno")
    live = ask(db, "s", "live")
    begin(db, live)
    ask(db, "s", "waiting")
    assert fork(db)["message_count"] == 2
    assert texts(db) == ["one", "uno"]
    with pytest.raises(NotFound):
        fork(db, "x", up_to=10**6)


@pytest.mark.parametrize(("up_to", "is_kept"), [(None, True), ("uno", True), ("one", False)])
def test_a_summary_is_copied_with_all_that_it_covers(
    db: Database, up_to: str | None, is_kept: bool
) -> None:
    say(db, "s", "one", "uno")
    say(db, "s", "two", "dos")
    stored = {"summary": "S", "summary_tokens": 5, "last_turn_no": 1, "covered_count": 2}
    whose = {"owner": OWNER, "session_id": "s", "content_hash": "h", "updated_at": 1.0}
    db.write(lambda tx: tx.add(SnapshotRow(**stored, **whose, version=4)))
    ids = {row.content: row.id for row in messages(db, "s")}
    fork(db, up_to=ids[up_to] if up_to else None)
    copied = db.read(lambda tx: tx.get(SnapshotRow, (OWNER, "copy")))
    assert (copied is not None) == is_kept
    assert copied is None or (copied.summary, copied.version) == ("S", 1)


def test_titles_are_numbered_or_given(db: Database) -> None:
    say(db, "s", "one")
    assert [fork(db, name)["title"] for name in "abc"] == ["one #2", "one #3", "one #4"]
    assert fork(db, "d", title=" Mine ")["title"] == "Mine"
    with pytest.raises(InvalidTitle):
        fork(db, "e", title="Mine")
    with pytest.raises(SessionExists):
        fork(db, "a")
    assert db.read(lambda tx: tx.get(SessionRow, (OWNER, "e"))) is None


def test_a_session_of_another_owner_cannot_be_copied(db: Database) -> None:
    say(db, "s", "secret", owner="you")
    with pytest.raises(NotFound):
        fork(db, owner="me")
    assert db.read(lambda tx: tx.scalars(select(SessionRow.id)).all()) == ["s"]


def test_a_long_copy_is_found_later(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "INDEXED_AT_ONCE", 1)
    say(db, "s", "one", "uno")
    fork(db)
    assert found(db, "uno") == {"s"}
    assert db.write(index_some) == 2
    assert found(db, "uno") == {"s", "copy"}


def test_an_empty_session_can_be_copied(db: Database) -> None:
    end(db, ask(db, "s", "hello"))
    first = messages(db, "s")[0].id
    assert fork(db, up_to=first)["message_count"] == 1
