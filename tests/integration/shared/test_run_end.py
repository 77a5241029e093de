"""Ends that are announced although Redis had them before, on both databases (R20, R27)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.runs.claim import Claim
from shared.db.runs.complete import Closing, close
from shared.db.runs.queue.due import count_due
from shared.db.runs.terminal import ended_among
from shared.event_log.clients import Commands, command_client
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog
from shared.protocol.events import RUN_COMPLETED
from shared.protocol.run_states import RunState
from shared.run_end import announce_again
from tests.support.rows import OWNER
from tests.support.servers.redis_server import RedisServer
from tests.support.turns import ask, begin


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Commands]:
    client = command_client(redis_server.url)
    yield client
    client.close()


@pytest.fixture
def event_log(redis: Commands) -> EventLog:
    return EventLog([redis], timedelta(seconds=60), "hf")


def closed(db: Database, session_id: str, *following: str) -> Claim:
    """A run that has ended, which nobody announced; prompts of the session wait behind it."""
    claim = begin(db, ask(db, session_id, "hello"))
    for text in following:
        ask(db, session_id, text)
    closing = Closing(RunState.COMPLETED, RUN_COMPLETED, {"status": "completed"}, last_seq=0)
    db.write(lambda tx: close(tx, claim, closing))
    return claim


def head(event_log: EventLog, claim: Claim) -> tuple[int, int] | None:
    """Epoch and head of the run's log."""
    return event_log.heads(
        [RunKeys(feed_tag(OWNER, claim.session_id, claim.run_id), claim.run_id)]
    )[0]


def is_announced(db: Database, run_id: str) -> bool:
    row = db.read(lambda tx: tx.get(RunRow, run_id))
    assert row is not None
    return row.announced_at is not None


def test_ends_are_written_whether_or_not_they_were_announced_and_live_runs_are_left(
    db: Database, event_log: EventLog, redis_server: RedisServer
) -> None:
    first, second = closed(db, "a", "and then"), closed(db, "b")
    live = begin(db, ask(db, "c", "hello"))
    runs = [live.run_id, second.run_id, "run_unknown", first.run_id]
    assert db.read(lambda tx: count_due(tx, lambda profile: 0, 10)) == 0
    for time in ("first", "again"):
        redis_server.flush()
        announce_again(db, event_log, runs)
        for claim in (first, second):
            assert head(event_log, claim), time
            assert is_announced(db, claim.run_id)
    assert head(event_log, live) is None
    assert not is_announced(db, live.run_id)
    assert db.read(lambda tx: count_due(tx, lambda profile: 0, 10)) == 1


def test_as_many_runs_as_a_process_may_watch_are_asked_for(db: Database) -> None:
    ended = [closed(db, "a").run_id, closed(db, "b").run_id]
    others = [f"run_{number}" for number in range(40_000)]
    assert db.read(lambda tx: ended_among(tx, [ended[1], *others, ended[0]])) == ended
    assert db.read(lambda tx: ended_among(tx, [])) == []
