"""Making and changing sessions, and telling their rooms, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from redis.client import PubSub

from shared.db.database import Database
from shared.db.sessions.edit_session import create_session, update_session
from shared.db.sessions.read import read_conversation
from shared.db.sessions.session_info import Info, get
from shared.edit_session import SessionEditor
from shared.errors import InvalidPayload, InvalidTitle, NotFound, SessionExists
from shared.event_log.clients import command_client
from shared.event_log.keys import feed_tag
from shared.event_log.store import EventLog
from shared.protocol.events import SessionNotification, decode, parse_notification
from tests.support.rows import OWNER
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.turns import say


def make(db: Database, name: str = "s", owner: str = OWNER, **changes: Any) -> Info:
    return db.write(
        partial(create_session, owner=owner, session_id=name, profile="default", **changes)
    )


def edit(db: Database, name: str = "s", owner: str = OWNER, **changes: Any) -> Info:
    return db.write(partial(update_session, owner=owner, session_id=name, changes=changes))


def test_a_session_is_made_once(db: Database) -> None:
    made = make(db, title="  A\ttitle ", pinned=True, model="m")
    assert (made["title"], made["pinned"], made["model"]) == ("A title", True, "m")
    assert made["message_count"] == 0
    with pytest.raises(SessionExists, match="Session already exists: s"):
        make(db)
    assert make(db, owner="you")["title"] is None
    say(db, "s", "first message")
    assert db.read(lambda tx: get(tx, OWNER, "s"))["title"] == "A title"


def test_of_two_that_make_it_at_once_one_does(db: Database) -> None:
    def attempt(_: int) -> str:
        try:
            make(db)
        except SessionExists:
            return "refused"
        return "made"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == ["made", "refused", "refused", "refused"]


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x00", "a\nb", "\ud800"])
def test_ids_that_no_client_can_send_are_refused(db: Database, name: str) -> None:
    with pytest.raises(InvalidPayload):
        make(db, name)


def test_a_session_is_changed(db: Database) -> None:
    before = make(db)
    after = edit(db, title="New", archived=True, workspace="/w", model="other", pinned=True)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"title", "archived", "workspace", "model", "pinned"}
    cleared = edit(db, title="", workspace=None, model="")
    assert (cleared["title"], cleared["workspace"], cleared["model"]) == (None, None, None)
    assert cleared["archived"] is True


def test_a_session_ends_once(db: Database) -> None:
    make(db)
    ended = edit(db, end_reason="done")
    assert (ended["end_reason"], ended["ended_at"] is not None) == ("done", True)
    assert edit(db, end_reason="again")["end_reason"] == "done"


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "you"}, {"id": "x"}, {"pinned": 1}, {"pinned": None}, {"archived": "yes"},
        {"title": 7}, {"title": ["x"]}, {"workspace": "a\nb"}, {"workspace": "x" * 5_000},
        {"model": {}}, {"model": "x" * 256}, {"next_turn": 1},
    ],
)  # fmt: skip
def test_other_changes_are_refused_and_nothing_is_changed(
    db: Database, changes: dict[str, Any]
) -> None:
    before = make(db)
    with pytest.raises(InvalidPayload):
        edit(db, title="new", **changes) if "title" not in changes else edit(db, **changes)
    assert db.read(lambda tx: get(tx, OWNER, "s")) == before


def test_a_title_is_given_once_to_each_owner(db: Database) -> None:
    make(db, "a", title="Plan: 天气!")
    make(db, "b")
    with pytest.raises(InvalidTitle, match="already in use by session a"):
        edit(db, "b", title=" Plan:  天气!")
    with pytest.raises(InvalidTitle):
        make(db, "c", title="Plan: 天气!")
    with pytest.raises(NotFound):
        db.read(lambda tx: get(tx, OWNER, "c"))
    edit(db, "a", title="Plan: 天气!")
    edit(db, "b", title="plan 天气")
    make(db, "a", owner="you", title="Plan: 天气!")
    make(db, "d", title="!!!")
    with pytest.raises(InvalidTitle, match="too long"):
        edit(db, "a", title="x" * 101)


def test_a_session_of_another_owner_is_none(db: Database) -> None:
    make(db, owner="you")
    with pytest.raises(NotFound) as theirs:
        edit(db, owner="me", title="x")
    with pytest.raises(NotFound) as nobodys:
        edit(db, "none", owner="me", title="x")
    assert str(theirs.value) == str(nobodys.value)
    with pytest.raises(NotFound):
        db.read(lambda tx: get(tx, "me", "s"))


def test_the_room_is_told_and_a_resume_shows_the_same(
    db: Database, redis_server: RedisServer
) -> None:
    commands = command_client(redis_server.url)
    event_log = EventLog([commands], timedelta(minutes=1), "edit")
    pubsub = PubSub(commands.connection_pool, ignore_subscribe_messages=True)
    pubsub.subscribe(event_log.channels[0].session(feed_tag(OWNER, "s", "")))
    pubsub.get_message(timeout=5.0)
    make(db)
    SessionEditor(db, event_log).update(OWNER, "s", {"title": "New"})
    received: list[Any] = []

    def hear() -> bool:
        message = pubsub.get_message(timeout=0.05)
        found = parse_notification(message["data"]) if message else None
        received.extend([decode(found.entry)] if isinstance(found, SessionNotification) else [])
        return bool(received)

    wait_until(hear, what="session.updated is published")
    expected = {"event": "session.updated", "session_id": "s", "title": "New"}
    assert received == [("session.updated", {**expected, "pinned": False, "archived": False})]
    assert db.read(lambda tx: read_conversation(tx, OWNER, "s")).title == "New"
    pubsub.close()
    commands.close()
