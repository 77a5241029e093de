"""Accepting, stopping and taking back runs, on SQLite and PostgreSQL."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.runs import accept as intake
from shared.db.runs import stop as stops
from shared.db.runs.claim import Claim, claim
from shared.db.runs.terminal import announcement, mark_announced
from shared.db.sessions import read as conversation
from shared.errors import NotFound, QueueFull, RequestConflict, SessionBusy, UnknownProfile
from shared.protocol.run_states import RunState

ME = "me"


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    db = Database(database_url)
    yield db
    db.close()


def new(session_id: str | None = "s", text: str = "hi", **fields: Any) -> intake.NewRun:
    defaults: dict[str, Any] = {
        "run_id": f"run_{uuid.uuid4().hex}",
        "owner": ME,
        "session_id": session_id,
        "profile": "default",
        "input": text,
        "text": text,
        "token_count": 3,
        "model": None,
        "instructions": None,
        "client_request_id": None,
        "payload_hash": "hash",
    }
    return intake.NewRun(**{**defaults, **fields})


def accept(db: Database, run: intake.NewRun, cap: int = 20) -> intake.Accepted:
    def known(name: str) -> None:
        if name not in {"default", "work"}:
            raise UnknownProfile

    return db.write(lambda s: intake.accept(s, run, queue_cap=cap, check_profile=known))


def row(db: Database, run_id: str) -> RunRow:
    return db.read(lambda s: s.get_one(RunRow, run_id))


def session_row(db: Database, session_id: str = "s") -> SessionRow:
    return db.read(lambda s: s.get_one(SessionRow, (ME, session_id)))


def start(db: Database, run_id: str) -> None:
    assert isinstance(db.write(lambda s: claim(s, run_id, "worker", 60)), Claim)


def stop(db: Database, session_id: str | None = "s", run_id: str | None = None) -> Any:
    return db.write(lambda s: stops.ask_stop(s, ME, session_id, run_id))


def test_the_first_run_makes_the_session_and_starts(db: Database) -> None:
    text = "line one\nline two " + "x" * 200
    accepted = accept(db, new(text=text, model="m"))
    assert (accepted.status, accepted.starts_now, accepted.repeated) == ("queued", True, False)
    made = session_row(db)
    assert made.title == text[:100].replace("\n", " ")
    assert (made.profile, made.model) == ("default", "m")
    run = row(db, accepted.run_id)
    assert (run.state, run.turn_no, run.input) == ("queued", None, text)
    assert run.enqueued_at is not None
    message = db.read(lambda s: s.scalars(select(MessageRow)).one())
    assert (message.role, message.content, message.turn_no, message.idx) == ("user", text, None, 0)
    assert message.token_count == 3


def test_blocks_are_kept_beside_their_text(db: Database) -> None:
    blocks = [{"type": "text", "text": "hi"}]
    accepted = accept(db, new(input=blocks))
    message = db.read(lambda s: s.scalars(select(MessageRow)).one())
    assert (message.content, message.content_blocks) == ("hi", blocks)
    assert row(db, accepted.run_id).input == blocks


def test_a_name_that_was_given_is_kept_and_a_missing_one_filled(db: Database) -> None:
    accept(db, new(text="first", model="a"))
    accept(db, new(text="second", model="b"))
    assert (session_row(db).title, session_row(db).model) == ("first", "a")

    def unname(s: Any) -> None:
        s.get_one(SessionRow, (ME, "s")).title = ""

    db.write(unname)
    accept(db, new(text="third"))
    assert session_row(db).title == "third"


def test_the_second_run_waits(db: Database) -> None:
    accept(db, new())
    second = accept(db, new())
    assert (second.starts_now, second.queue_length) == (False, 2)
    assert row(db, second.run_id).enqueued_at is None


def test_the_session_keeps_its_profile(db: Database) -> None:
    accept(db, new(profile="work"))
    second = accept(db, new(profile="nonsense"))
    assert row(db, second.run_id).profile == "work"


def test_an_unknown_profile_leaves_nothing(db: Database) -> None:
    with pytest.raises(UnknownProfile):
        accept(db, new(profile="nonsense"))
    assert db.read(lambda s: s.scalar(select(func.count()).select_from(SessionRow))) == 0


def test_a_full_queue_refuses(db: Database) -> None:
    start(db, accept(db, new()).run_id)
    for _ in range(2):
        accept(db, new(), cap=2)
    with pytest.raises(QueueFull):
        accept(db, new(), cap=2)


def test_reject_refuses_while_busy(db: Database) -> None:
    accept(db, new(on_busy="reject"))
    with pytest.raises(SessionBusy):
        accept(db, new(on_busy="reject"))


def test_interrupt_stops_the_live_run_and_goes_first(db: Database) -> None:
    live = accept(db, new()).run_id
    start(db, live)
    accept(db, new())
    urgent = accept(db, new(on_busy="interrupt"))
    assert urgent.interrupted == live
    assert row(db, live).state == "stopping"
    assert row(db, live).stop_requested_at is not None
    queue = db.read(lambda s: conversation.waiting(s, ME, "s"))
    assert queue[0]["run_id"] == urgent.run_id


def test_the_same_request_again_is_the_same_run(db: Database) -> None:
    first = accept(db, new(client_request_id="c"))
    again = accept(db, new(client_request_id="c"))
    assert (again.run_id, again.repeated) == (first.run_id, True)
    assert db.read(lambda s: s.scalar(select(func.count()).select_from(RunRow))) == 1
    with pytest.raises(RequestConflict):
        accept(db, new(client_request_id="c", payload_hash="other"))
    elsewhere = accept(db, new("t", client_request_id="c"))
    assert not elsewhere.repeated


def test_the_same_request_without_session_is_the_same_run(db: Database) -> None:
    first = accept(db, new(None, client_request_id="c"))
    again = accept(db, new(None, client_request_id="c"))
    assert (again.run_id, again.repeated) == (first.run_id, True)
    found = db.read(lambda s: intake.find_request(s, ME, None, "c"))
    assert found == first.run_id


@pytest.mark.parametrize("session_id", ["-", "--", " ", "None", "null", "\u2212", "'-'"])
@pytest.mark.parametrize("first_without", [True, False])
def test_no_session_id_is_mistaken_for_none(
    db: Database, session_id: str, first_without: bool
) -> None:
    order = [None, session_id] if first_without else [session_id, None]
    made = {}
    for at, where in enumerate(order):
        accepted = accept(db, new(where, client_request_id="c", payload_hash=f"hash {at}"))
        assert (accepted.session_id, accepted.repeated) == (where, False)
        made[where] = accepted.run_id
    for at, where in enumerate(order):
        again = accept(db, new(where, client_request_id="c", payload_hash=f"hash {at}"))
        assert (again.run_id, again.repeated) == (made[where], True)
        assert request_of(db, where) == made[where]


def request_of(db: Database, session_id: str | None) -> str | None:
    return db.read(lambda s: intake.find_request(s, ME, session_id, "c"))


def store(db: Database, columns: dict[str, Any]) -> None:
    known = {name: columns[name] for name in columns if not name.startswith("_")}
    db.write(lambda s: s.add(RunRow(**known)))


def test_the_database_refuses_a_second_run_of_a_request(db: Database) -> None:
    for session_id in (None, "-", "s"):
        run_id = accept(db, new(session_id, client_request_id="c")).run_id
        with pytest.raises(IntegrityError):
            store(db, {**vars(row(db, run_id)), "id": "another"})


def test_runs_without_session_never_wait_and_store_no_message(db: Database) -> None:
    assert all(accept(db, new(None)).starts_now for _ in range(2))
    assert db.read(lambda s: s.scalar(select(func.count()).select_from(MessageRow))) == 0


def test_two_first_runs_at_once_make_one_session_and_one_head(db: Database) -> None:
    for attempt in range(5):
        accepted: list[intake.Accepted] = []
        gate = threading.Barrier(4)

        def send(name: str, got: list[intake.Accepted], gate: threading.Barrier) -> None:
            gate.wait(10)
            got.append(accept(db, new(name)))

        arguments = (f"s{attempt}", accepted, gate)
        threads = [threading.Thread(target=send, args=arguments) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [a.starts_now for a in accepted].count(True) == 1
        places = [row(db, a.run_id).queue_no for a in accepted]
        assert sorted(places) == [1, 2, 3, 4]


def test_a_run_is_found_after_a_lost_answer(db: Database) -> None:
    run = new()
    assert db.read(lambda s: intake.find(s, run.run_id)) is None
    accept(db, run)
    found = db.read(lambda s: intake.find(s, run.run_id))
    assert found is not None
    assert (found.run_id, found.starts_now) == (run.run_id, True)


def test_stopping_a_live_run_is_asked_once(db: Database) -> None:
    run_id = accept(db, new()).run_id
    start(db, run_id)
    first = stop(db)
    asked_at = row(db, run_id).stop_requested_at
    again = stop(db)
    assert (first.status, again.status, first.ended) == ("stopping", "stopping", False)
    assert row(db, run_id).stop_requested_at == asked_at
    assert asked_at is not None


def test_stopping_takes_the_live_run_and_leaves_the_rest(db: Database) -> None:
    live, waiting = accept(db, new()).run_id, accept(db, new()).run_id
    start(db, live)
    assert stop(db).run_id == live
    assert row(db, waiting).state == "queued"


def test_stopping_a_waiting_run_ends_it_and_keeps_the_prompt(db: Database) -> None:
    first, second = accept(db, new(text="one")).run_id, accept(db, new(text="two")).run_id
    stopped = stop(db)
    assert (stopped.run_id, stopped.status, stopped.ended) == (first, "aborted", True)
    assert stopped.next_run == second
    seen = db.read(lambda s: conversation.read_conversation(s, ME, "s"))
    assert [m["content"] for m in seen.messages] == ["one"]
    assert [q["input"] for q in seen.queue] == ["two"]
    end = db.read(lambda s: announcement(s, first))
    assert end is not None
    assert end.entries[-1][0] == "run.cancelled"
    db.write(lambda s: mark_announced(s, first))
    start(db, second)


def test_stopping_nothing_is_nothing(db: Database) -> None:
    assert stop(db) is None
    assert stop(db, None, "run_nobody") is None
    run_id = accept(db, new()).run_id
    assert stop(db, "other", run_id) is None
    assert db.write(lambda s: stops.ask_stop(s, "other", "s", None)) is None
    assert db.write(lambda s: stops.ask_stop(s, "other", None, run_id)) is None


def test_stopping_an_ended_run_says_how_it_ended(db: Database) -> None:
    run_id = accept(db, new()).run_id
    stop(db)
    again = stop(db, "s", run_id)
    assert (again.status, again.ended) == ("aborted", False)


def test_a_cancelled_message_is_gone(db: Database) -> None:
    start(db, accept(db, new(text="one")).run_id)
    second = accept(db, new(text="two")).run_id
    stopped = db.write(lambda s: stops.cancel(s, ME, "s", second))
    assert stopped.input == "two", "who takes it back gets all that was sent"
    assert (stopped.status, stopped.ended, stopped.next_run) == ("aborted", True, None)
    seen = db.read(lambda s: conversation.read_conversation(s, ME, "s"))
    assert seen.queue == []
    assert [m["content"] for m in seen.messages] == ["one"]


def test_cancelling_a_run_that_has_begun_stops_it(db: Database) -> None:
    run_id = accept(db, new()).run_id
    start(db, run_id)
    stopped = db.write(lambda s: stops.cancel(s, ME, "s", run_id))
    assert (stopped.status, stopped.ended) == (RunState.STOPPING, False)


def test_cancelling_somebody_elses_run_finds_nothing(db: Database) -> None:
    run_id = accept(db, new()).run_id
    with pytest.raises(NotFound):
        db.write(lambda s: stops.cancel(s, "other", "s", run_id))
