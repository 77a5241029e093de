"""`GET /api/sessions/{id}/events` on a real web process: every turn whole, once, in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from shared.db.models import RunRow
from shared.db.runs.stop import cancel
from shared.run_end import announce
from tests.integration.web.api.http.conftest import Api
from tests.integration.web.api.http.sessions.conftest import Talk
from tests.integration.web.test_process import start_web
from tests.support.http_api import (
    ApiClient,
    EventStream,
    Frame,
    SessionFollower,
    text_of,
    texts_of,
)
from tests.support.web_stand import LiveRun, without_notification


def begin(api: Api, session_id: str, text: str = "hello") -> LiveRun:
    """A run of Alice that a worker has begun; those who watch are notified."""
    run_id = api.alice.start(text, session_id)
    return begun(api, session_id, run_id)


def begun(api: Api, session_id: str, run_id: str) -> LiveRun:
    run = api.begin(run_id, session_id)
    api.stand.log.notify(
        run.keys.tag, b'S ["message.added",{"event":"message.added","session_id":"x"}]'
    )
    return run


def read_all(stream: EventStream, count: int) -> list[Frame]:
    """The next frames with an id."""
    found: list[Frame] = []
    with stream.response:
        for frame in stream:
            if frame.id:
                found.append(frame)
            if len(found) == count:
                return found
    raise AssertionError(found)


@pytest.fixture
def follower(api: Api, session_id: str) -> Iterator[SessionFollower]:
    """A reader from the beginning, of a session that is there."""
    api.alice.post("/api/sessions", {"id": session_id})
    made = SessionFollower(api.alice, session_id)
    made.wait_for("session.updated")
    yield made
    api.alice.call("DELETE", f"/api/sessions/{session_id}")


def test_turns_that_come_later_are_in_the_stream(
    api: Api, session_id: str, follower: SessionFollower
) -> None:
    runs = []
    for number in range(3):
        run = begin(api, session_id, f"question {number}")
        runs.append(run.keys.run_id)
        run.say("a", "b")
        follower.wait_for("message.delta", 3 * number + 2)
        run.say(str(number))
        api.stand.finish(run, session_id, f"ab{number}")
        follower.wait_for("run.completed", number + 1)
    turn = ["message.added", *["message.delta"] * 3, "usage.updated", "run.completed"]
    assert follower.names() == turn * 3
    assert texts_of(follower.placed) == dict(zip(runs, ("ab0", "ab1", "ab2"), strict=True))
    prompts = [f.event["message"]["content"] for f in follower.placed if "message" in f.event]
    assert prompts == [f"question {number}" for number in range(3)]
    assert len({frame.id for frame in follower.placed}) == len(follower.placed)
    assert follower.opened == 1


def test_every_id_goes_on_exactly_behind_its_event(api: Api, session_id: str, talk: Talk) -> None:
    talk(session_id, "stored", "long ago")
    first = begin(api, session_id)
    first.say("a", "b", "c")
    api.stand.finish(first, session_id, "abc")
    second = begin(api, session_id)
    second.say("x", "y")
    whole = read_all(api.alice.session_events(session_id), 12)
    assert list(texts_of(whole).values()) == ["long ago", "abc", "xy"]
    for number, frame in enumerate(whole[:-1]):
        rest = read_all(
            api.alice.session_events(session_id, Last_Event_ID=frame.id), len(whole) - number - 1
        )
        assert [f.id for f in rest] == [f.id for f in whole[number + 1 :]], frame
        assert [f.event["event"] for f in rest] == [f.event["event"] for f in whole[number + 1 :]]
    second.say("z")
    (last,) = read_all(api.alice.session_events(session_id, f"?since={whole[-1].id}"), 1)
    assert last.event["delta"] == "z"


def test_a_reader_may_begin_now(api: Api, session_id: str, talk: Talk) -> None:
    talk(session_id, "stored", "long ago")
    run = begin(api, session_id)
    run.say("a")
    live = read_all(api.alice.session_events(session_id, "?since=now"), 2)
    assert [frame.event["event"] for frame in live] == ["message.added", "message.delta"]
    from_turn = read_all(api.alice.session_events(session_id, "?since=1"), 2)
    assert [frame.id for frame in from_turn] == [frame.id for frame in live]
    api.stand.finish(run, session_id, "a")
    with api.alice.session_events(session_id, "?since=now").response as response:
        frames = iter(EventStream(response))
        next(frames)  # the session as it is
        second = begin(api, session_id)
        second.say("b")
        assert next(f for f in frames if f.id).event["run_id"] == second.keys.run_id


@pytest.mark.parametrize(
    "position", ["3", "x", "1-1-0-0-0--00000000", "1~1", "1~2~1-1-0-0-0--00000000", "9" * 400]
)
def test_a_position_that_makes_no_sense_is_refused(
    api: Api, session_id: str, talk: Talk, position: str
) -> None:
    talk(session_id, "one", "uno")
    answer = api.alice.get(f"/api/sessions/{session_id}/events?since={position}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_position"


def test_changes_of_the_session_are_in_the_stream(
    api: Api, session_id: str, follower: SessionFollower
) -> None:
    path = f"/api/sessions/{session_id}"
    api.alice.call("PATCH", path, {"title": "New name"})
    follower.wait_for("session.updated", 2)
    assert follower.frames[-1].event["title"] == "New name"
    begin(api, session_id)
    follower.wait_for("message.added")
    waiting = api.alice.start("second", session_id)
    follower.wait_for("queue.updated")
    api.alice.post(f"/v1/runs/{waiting}/stop")
    follower.wait_for("run.cancelled")
    cancelled = next(f for f in follower.frames if f.event["event"] == "run.cancelled")
    assert cancelled.event["run_id"] == waiting
    assert cancelled.id.startswith("2~1~"), "it has turn 2 and all of it, and turn 1 in part"
    removed = api.alice.start("third", session_id)
    api.stand.db.write(lambda tx: cancel(tx, "alice", session_id, removed))
    announce(api.stand.db, api.stand.log, removed)
    follower.wait_for("run.cancelled", 2)
    cancelled = [f for f in follower.frames if f.event["event"] == "run.cancelled"][-1]
    assert (cancelled.id, cancelled.event["run_id"]) == ("", removed)
    api.alice.call("DELETE", path)
    frames = follower.wait()
    assert frames[-1].event["event"] == "session.deleted"


def test_lost_notifications_are_made_up_for(
    api: Api, session_id: str, follower: SessionFollower
) -> None:
    run = api.begin(api.alice.start("hello", session_id), session_id)  # no message.added
    without_notification(api.stand, run, "a", "b")
    run.say("c")
    follower.wait_for("message.delta", 3)
    without_notification(api.stand, run, "d")
    run.say("e")
    follower.wait_for("message.delta", 5)
    api.stand.finish(run, session_id, "abcde")
    follower.wait_for("run.completed")
    assert texts_of(follower.placed) == {run.keys.run_id: "abcde"}
    assert follower.opened == 1


def test_a_run_that_was_put_back_goes_on_behind_another(
    api: Api, session_id: str, follower: SessionFollower
) -> None:
    """As an interrupting message goes before a run that waits for its gateway."""
    first = begin(api, session_id)
    first.say("a")
    follower.wait_for("message.delta")
    put_back(api, first)
    second = begin_before(api, session_id, first)
    second.say("x")
    follower.wait_for("message.delta", 2)
    api.stand.finish(second, session_id, "x")
    follower.wait_for("run.completed")
    at = follower.placed[-1].id
    again = begun(api, session_id, first.keys.run_id)
    again.head = first.head
    again.say("b")
    api.stand.finish(again, session_id, "ab")
    follower.wait_for("run.completed", 2)
    assert texts_of(follower.placed) == {first.keys.run_id: "ab", second.keys.run_id: "x"}
    behind = read_all(api.alice.session_events(session_id, Last_Event_ID=at), 3)
    assert text_of(behind) == "b"


def put_back(api: Api, run: LiveRun) -> None:
    values = {"state": "queued", "worker": None, "lease_until": None}
    statement = update(RunRow).where(RunRow.id == run.keys.run_id).values(**values)
    api.stand.db.write(lambda tx: tx.execute(statement))


def begin_before(api: Api, session_id: str, waits: LiveRun) -> LiveRun:
    return begun(api, session_id, api.alice.start("now", session_id, on_busy="interrupt"))


def test_a_reader_goes_on_at_another_process_when_its_own_was_killed(
    api: Api, session_id: str
) -> None:
    api.alice.post("/api/sessions", {"id": session_id})
    settings = {"TOKENS_FILE": str(api.home / "users.toml")}
    database = f"sqlite:///{api.home / 'test.db'}"
    other_url, other = start_web(
        api.processes, api.redis.url, database, api.home, name="other", **settings
    )
    reader = SessionFollower(ApiClient(other_url, "token-of-alice"), session_id)
    run = begin(api, session_id)
    run.say("a", "b")
    reader.wait_for("message.delta", 2)
    reader.client = api.alice
    other.kill()
    run.say("c")
    api.stand.finish(run, session_id, "abc")
    second = begin(api, session_id)
    second.say("x")
    api.stand.finish(second, session_id, "x")
    reader.wait_for("run.completed", 2)
    assert texts_of(reader.placed) == {run.keys.run_id: "abc", second.keys.run_id: "x"}
    assert len({frame.id for frame in reader.placed}) == len(reader.placed)
    assert reader.opened > 1
    api.alice.call("DELETE", f"/api/sessions/{session_id}")
    reader.wait()


def test_many_readers_get_the_same(api: Api, session_id: str, talk: Talk) -> None:
    talk(session_id, "stored", "long ago")
    readers = [SessionFollower(api.alice, session_id) for _ in range(20)]
    for number in range(3):
        run = begin(api, session_id)
        run.say(*"abcdefgh")
        api.stand.finish(run, session_id, "abcdefgh")
        for reader in readers:
            reader.wait_for("run.completed", number + 2)
    seen = {tuple(frame.id for frame in reader.placed) for reader in readers}
    assert len(seen) == 1
    assert list(texts_of(readers[0].placed).values()) == ["long ago", *["abcdefgh"] * 3]
    api.alice.call("DELETE", f"/api/sessions/{session_id}")
    for reader in readers:
        reader.wait()
