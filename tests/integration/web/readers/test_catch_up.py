"""A reader of a session is opened at any moment, and misses nothing that began meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from shared.db.delete_session import remove
from shared.roles import Role
from tests.support.rows import add_session
from tests.support.servers.processes import wait_until
from tests.support.web_stand import OWNER, LiveRun, WebStand
from web.access.principal import Credential, Kind, Principal
from web.readers.opening import Opening
from web.readers.sessions.catch_up import CatchUp
from web.readers.sessions.follower import Follower, TurnEnd
from web.sockets.connections import Connection

ME = Principal(OWNER, Role.USER, Credential(Kind.USER))


@pytest.fixture
def catch_up(stand: WebStand) -> CatchUp:
    common: dict[str, Any] = {
        "db": stand.db,
        "relay": stand.relay,
        "membership": stand.membership,
        "sessions": stand.sessions,
    }
    return CatchUp(opening=Opening(event_log=stand.log, **common), **common)


def follower() -> Follower:
    connection = Connection("reader", "", OWNER, "default", receives_own_aborts=True)
    return Follower(connection, "s", ME, most_chunks=100, most_bytes=10**6, cut=lambda: None)


def test_a_turn_that_begins_between_the_rows_and_the_logs_is_not_missed(
    stand: WebStand, catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_session(stand.db, "s")
    begun: list[LiveRun] = []
    turns, calls = catch_up._turns, []

    def late(reader: Follower) -> Any:
        found = turns(reader)
        calls.append(1)
        if len(calls) == 2:  # the rows for joining are read
            begun.append(stand.begin("s"))
            begun[0].say("a", "b")
        return found

    monkeypatch.setattr(catch_up, "_turns", late)
    reader = follower()
    piece = catch_up.next(reader)
    assert piece.is_live
    shown = b"".join(item for item in piece.items if isinstance(item, bytes))
    assert shown.count(b'"event":"message.added"') == 1
    assert shown.count(b'"event":"message.delta"') == 2
    assert reader.turns == {begun[0].keys.run_id: 1}


def test_a_turn_that_begins_and_ends_between_the_rows_and_the_logs_is_not_missed(
    stand: WebStand, catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_session(stand.db, "s")
    reader = follower()
    catch_up.next(reader)
    reader.lose()
    turns, calls = catch_up._turns, []

    def late(reader: Follower) -> Any:
        found = turns(reader)
        calls.append(1)
        if len(calls) == 2:  # the rows for joining are read
            run = stand.begin("s")
            run.say("a", "b")
            stand.finish(run, "s", "ab")
            wait_until(lambda: stand.emitter.to("reader")[-1][0] == "run.completed")
        return found

    monkeypatch.setattr(catch_up, "_turns", late)
    piece = catch_up.next(reader)
    shown = b"".join(item for item in piece.items if isinstance(item, bytes))
    assert shown.count(b'"event":"message.added"') == 1
    assert any(isinstance(item, TurnEnd) for item in piece.items)
    assert reader.place.turn == 1


def test_rows_that_never_agree_with_the_logs_do_not_hold_a_reader_for_ever(
    stand: WebStand, catch_up: CatchUp
) -> None:
    """As after a database was restored that does not know of a live run."""
    run = stand.begin("s")
    run.say("a")
    stand.db.write(lambda tx: remove(tx, OWNER, "s", force=True))
    add_session(stand.db, "s")
    piece = catch_up.next(follower())
    assert (piece.is_live, piece.items) == (True, [])
