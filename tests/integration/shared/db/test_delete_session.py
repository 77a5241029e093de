"""Deleting a session: its runs end, its rows and keys go, its room is told (P28)."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.client import PubSub
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deploy.cli import main
from deploy.local.embedded_redis import EmbeddedRedis, RedisBinary, address_of
from shared.db.database import Database
from shared.db.delete_session import Removed, remove, stop_runs
from shared.db.gateway_sessions import HOLD, queue_deletion
from shared.db.models import (
    Base,
    CompressionRow,
    DeletionRow,
    OrphanRow,
    RunRow,
    SessionRow,
    SnapshotRow,
)
from shared.db.responses import records
from shared.db.responses.records import NewResponse
from shared.db.runs import approvals, attempts, idempotency, ownership
from shared.db.runs import claim as claims
from shared.db.runs.accept import NewRun, accept
from shared.db.runs.claim import Claim, Refusal, Refused
from shared.db.runs.complete import Closing, close, replace_late
from shared.db.runs.gateway_orphans import SYNC, track_orphan
from shared.db.runs.stop import ask_stop
from shared.db.runs.terminal import mark_announced
from shared.db.search.index import index_some
from shared.db.sessions.titles import set_title
from shared.delete_session import SessionDeleter
from shared.errors import NotFound, OwnershipLost, RedisUnavailable
from shared.event_log.clients import Commands, command_client
from shared.event_log.keys import feed_tag
from shared.event_log.store import EventLog
from shared.protocol.events import SessionNotification, decode, parse_notification
from shared.protocol.run_states import RunState
from tests.integration.conftest import MakeWorker
from tests.support.gateways.demo_gateway import scripted
from tests.support.rows import OWNER, add_run, add_session, messages, run_row
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.worker_stand import SESSION, WorkerStand
from worker.maintenance.gateway_orphans import check_orphaned_runs

KEY = "a-key-that-is-long-enough"


def taken(db: Database, run_id: str) -> Claim:
    answer = db.write(lambda tx: claims.claim(tx, run_id, "w", 30.0))
    assert isinstance(answer, Claim)
    return answer


def attempt(db: Database, claim: Claim, name: str, gateway_run: str | None = None) -> None:
    def work(tx: Session) -> None:
        attempts.record_intent(tx, claim, name, None)
        if gateway_run is not None:
            attempts.note_attempt(tx, claim, name, gateway_run_id=gateway_run)

    db.write(work)


def end(db: Database, claim: Claim) -> None:
    closing = Closing(
        RunState.COMPLETED,
        "run.completed",
        {},
        last_seq=1,
        rows=[{"role": "assistant", "content": "yes"}],
        usage={"input_tokens": 1},
    )

    def work(tx: Session) -> None:
        close(tx, claim, closing)
        mark_announced(tx, claim.run_id)

    db.write(work)


def lived_in(db: Database, session_id: str, owner: str = OWNER) -> str:
    """A session that has something in every table; the id of its ended run."""
    add_session(db, session_id, owner=owner)
    run_id = add_run(db, session_id, owner=owner)
    claim = taken(db, run_id)
    attempt(db, claim, f"eph_{owner}_{session_id}", "theirs")
    end(db, claim)

    def work(tx: Session) -> None:
        approvals.answer(tx, run_id, 1, "once")
        set_title(tx, owner, session_id, "a title")
        idempotency.store(tx, owner, idempotency.key_of(run_id, ""), run_id)
        records.add(tx, run_id, NewResponse(), None)
        track_orphan(
            tx,
            run_id=run_id,
            profile="default",
            kind=SYNC,
            ephemeral_id="eph_chased",
            gateway_run_id=None,
        )
        tx.flush()
        for row in tx.scalars(select(OrphanRow).where(OrphanRow.run_id == run_id)):
            row.done_at = 1.0
        place = {"owner": owner, "session_id": session_id}
        tx.add(
            SnapshotRow(
                **place,
                summary="s",
                summary_tokens=1,
                last_turn_no=0,
                covered_count=1,
                content_hash="",
                updated_at=1.0,
            )
        )
        tx.add(
            CompressionRow(
                **place,
                run_id=run_id,
                fence=1,
                profile="default",
                kind="full",
                trigger_tokens=1,
                threshold=1,
                before_messages=1,
                first_turn=1,
                last_turn=1,
                ephemeral_id="compress_1",
                started_at=1.0,
            )
        )

    db.write(work)
    db.write(index_some)
    return run_id


def counts(db: Database) -> dict[str, int]:
    """Rows per table, without those of gateways, owners and the installation."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in OTHERS]

    def work(tx: Session) -> dict[str, int]:
        return {t.name: tx.scalar(select(func.count()).select_from(t)) or 0 for t in tables}

    return db.read(work)


OTHERS = {"pending_session_deletes", "installation_secrets", "signed_out_cookies", "owner_turns"}


def removed(db: Database, *, force: bool = False) -> Removed | None:
    return db.write(lambda tx: remove(tx, OWNER, "s", force=force))


def test_everything_of_the_session_goes_and_all_else_stays(db: Database) -> None:
    lived_in(db, "other")
    lived_in(db, "s", owner="somebody")
    before = counts(db)
    assert all(before.values()), before
    run_id = lived_in(db, "s")
    assert removed(db) == Removed((run_id,), (), 2)
    assert counts(db) == before


def test_a_session_that_is_not_there_is_not_found(db: Database) -> None:
    add_session(db, "s", owner="somebody")
    with pytest.raises(NotFound):
        removed(db)
    with pytest.raises(NotFound):
        db.write(lambda tx: stop_runs(tx, OWNER, "s"))


def test_open_runs_are_stopped_first_and_again_is_the_same(db: Database) -> None:
    add_session(db, "s")
    live = add_run(db, "s")
    claim = taken(db, live)
    waiting = [add_run(db, "s", queue_no=number) for number in (2, 3)]
    assert removed(db) is None
    first = db.write(lambda tx: stop_runs(tx, OWNER, "s"))
    again = db.write(lambda tx: stop_runs(tx, OWNER, "s"))
    assert first == again
    assert (first.live, list(first.unannounced_runs)) == ((live,), waiting)
    assert run_row(db, live).state == RunState.STOPPING
    assert [run_row(db, run_id).state for run_id in waiting] == [RunState.ABORTED] * 2
    for run_id in waiting:
        db.write(partial(mark_announced, run_id=run_id))
    assert removed(db) is None
    end(db, claim)
    assert removed(db) is not None


def test_an_unannounced_end_is_announced_before(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    db.write(lambda tx: stop_runs(tx, OWNER, "s"))
    assert removed(db) is None
    db.write(lambda tx: mark_announced(tx, run_id))
    assert removed(db) is not None


def deletions(db: Database) -> dict[str, float]:
    """Gateway session -> seconds until it may be deleted, about."""
    now = db.read(lambda tx: tx.scalar(select(func.max(DeletionRow.updated_at)))) or 0.0
    rows = db.read(lambda tx: list(tx.scalars(select(DeletionRow))))
    return {row.session_id: row.next_attempt_at - now for row in rows}


def test_its_gateway_sessions_wait_no_longer(db: Database) -> None:
    add_session(db, "s")
    for number, name in enumerate(["eph_1", "eph_2", "eph_3"], start=1):
        claim = taken(db, add_run(db, "s", queue_no=number))
        attempt(db, claim, name, "theirs")
        end(db, claim)
    db.write(lambda tx: queue_deletion(tx, "default", "eph_2", saved=False))
    db.write(
        lambda tx: track_orphan(
            tx,
            run_id="x",
            profile="default",
            kind=SYNC,
            ephemeral_id="eph_3",
            gateway_run_id="theirs",
        )
    )
    assert deletions(db)["eph_2"] > HOLD
    removed(db)
    waits = deletions(db)
    assert set(waits) == {"eph_1", "eph_2"}
    assert max(waits.values()) < 1.0


@pytest.mark.parametrize(("known", "kind"), [("theirs", "stop"), (None, "uncertain_post")])
def test_the_gateway_run_of_a_removed_run_is_tracked_as_an_orphan(
    db: Database, known: str | None, kind: str
) -> None:
    add_session(db, "s")
    claim = taken(db, add_run(db, "s"))
    attempt(db, claim, "eph_1", known)
    gone = removed(db, force=True)
    assert gone is not None
    assert gone.forced == (claim.run_id,)
    (row,) = db.read(lambda tx: list(tx.scalars(select(OrphanRow))))
    assert (row.kind, row.gateway_run_id, row.ephemeral_id) == (kind, known, "eph_1")


def test_the_owner_of_a_removed_run_has_lost_it_and_stores_nothing(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    claim = taken(db, run_id)
    removed(db, force=True)
    empty = counts(db)
    assert not any(empty.values())
    steps: list[Callable[[], object]] = [
        lambda: end(db, claim),
        lambda: attempt(db, claim, "eph_late"),
        lambda: db.write(lambda s: ownership.put_back(s, claim, last_seq=1, delay=0.0)),
        lambda: db.write(lambda s: ownership.release(s, claim, 1)),
    ]
    for step in steps:
        with pytest.raises(OwnershipLost):
            step()
    late = [{"role": "assistant", "content": "late"}]
    assert not db.write(lambda tx: replace_late(tx, run_id, late, None))
    assert db.write(lambda tx: claims.claim(tx, run_id, "w", 30.0)) == Refused(Refusal.UNKNOWN)
    assert counts(db) == empty


@pytest.mark.parametrize("name", ["claim", "stop", "late"])
def test_who_comes_while_it_is_being_deleted_finds_nothing(
    db: Database, database_url: str, name: str
) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    if name == "late":
        end(db, taken(db, run_id))
    acts: dict[str, Callable[[Session], object]] = {
        "claim": lambda s: claims.claim(s, run_id, "w", 30.0),
        "stop": lambda s: ask_stop(s, OWNER, "s", run_id),
        "late": lambda s: replace_late(s, run_id, [], None),
    }
    other, found = Database(database_url), list[object]()
    thread = threading.Thread(target=lambda: found.append(other.write(acts[name])))

    def work(tx: Session) -> None:
        remove(tx, OWNER, "s", force=True)
        tx.flush()
        thread.start()
        thread.join(0.2)  # as far as it gets: it waits for this transaction

    db.write(work)
    thread.join(20)
    other.close()
    nothing = {"claim": Refused(Refusal.UNKNOWN), "stop": None, "late": False}
    assert found == [nothing[name]]


def test_the_id_may_be_used_again_for_a_new_session(db: Database) -> None:
    lived_in(db, "s")
    removed(db)
    new = NewRun(
        run_id="run_new",
        owner=OWNER,
        session_id="s",
        profile="default",
        input="again",
        text="again",
        token_count=1,
        model=None,
        instructions=None,
        client_request_id=None,
        payload_hash="",
        on_busy="queue",
    )
    db.write(lambda s: accept(s, new, queue_cap=5, check_profile=lambda name: None))
    assert taken(db, "run_new").turn_no == 1


# --- with a worker, Redis and a gateway -----------------------------------------------------------


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, session=False, LEASE_SECONDS=2)


@pytest.fixture
def commands(redis_server: RedisServer) -> Iterator[Commands]:
    client = command_client(redis_server.url)
    yield client
    client.close()


@pytest.fixture
def deleter(stand: WorkerStand, commands: Commands) -> SessionDeleter:
    return SessionDeleter(stand.db, stand.services.event_log, commands, stand.services.queue)


class Room:
    """What is rung in a session, in order."""

    def __init__(self, commands: Commands, event_log: EventLog) -> None:
        self._pubsub = PubSub(commands.connection_pool, ignore_subscribe_messages=True)
        self._pubsub.subscribe(event_log.channels[0].session(feed_tag(OWNER, SESSION, "")))
        self._pubsub.get_message(timeout=5.0)
        self.notices: list[dict[str, Any]] = []
        self.run_events: list[str] = []

    def hear(self) -> bool:
        """Take what there is; whether the session's end was told."""
        while (message := self._pubsub.get_message(timeout=0.05)) is not None:
            rung = parse_notification(message["data"])
            if isinstance(rung, SessionNotification):
                self.notices.append(decode(rung.entry)[1])
            elif rung is not None and hasattr(rung, "entries"):
                self.run_events += [decode(entry)[0] for entry in rung.entries]
        return any(notice["event"] == "session.deleted" for notice in self.notices)

    def close(self) -> None:
        self._pubsub.close()


@pytest.fixture
def room(commands: Commands, stand: WorkerStand) -> Iterator[Room]:
    made = Room(commands, stand.services.event_log)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def empty_server(redis_server: RedisServer) -> None:
    """Other tests leave logs of a session of the same name."""
    redis_server.flush()


def keys(commands: Commands) -> list[bytes]:
    tag = feed_tag(OWNER, SESSION, "")
    return list(commands.scan_iter(f"hf:{{{tag}}}:*"))


def live(stand: WorkerStand) -> tuple[str, threading.Thread]:
    """A run that speaks for a minute."""
    run_id = add_run(stand.db, SESSION, text=scripted(say="word " * 3000, rate=50))
    thread = stand.begin(run_id)
    stand.wait_for_post("eph")
    return run_id, thread


def test_a_live_run_is_stopped_and_then_all_is_gone(
    stand: WorkerStand, deleter: SessionDeleter, room: Room, commands: Commands
) -> None:
    add_session(stand.db, SESSION)
    run_id, thread = live(stand)
    waiting = add_run(stand.db, SESSION, queue_no=2)
    wait_until(lambda: len(keys(commands)) >= 3, what="the run has a log")
    gone = deleter.delete(OWNER, SESSION, within=30.0)
    thread.join(10)
    assert (set(gone.run_ids), gone.forced) == ({run_id, waiting}, ())
    assert keys(commands) == []
    wait_until(room.hear, what="session.deleted is rung")
    assert room.notices[-1] == {"event": "session.deleted", "session_id": SESSION}
    assert room.run_events.count("run.completed") == room.run_events.count("run.cancelled") == 1
    left = counts(stand.db)
    assert not any(left.values()), left
    assert set(stand.deletions()) == {stand.posts("eph")[-1]["session_id"]}


def test_a_live_run_that_does_not_end_is_removed_and_stopped_at_its_gateway(
    stand: WorkerStand, deleter: SessionDeleter, commands: Commands
) -> None:
    add_session(stand.db, SESSION)
    run_id, thread = live(stand)

    def has_gateway_run() -> bool:
        found = stand.db.read(lambda tx: attempts.attempts(tx, run_id))
        return bool(found and found[-1].gateway_run_id)

    wait_until(has_gateway_run, what="the gateway's run is known")
    gone = deleter.delete(OWNER, SESSION, within=0.0)
    assert gone.forced == (run_id,)
    thread.join(20)
    assert not thread.is_alive()
    left = counts(stand.db)
    assert left.pop("chases") == 1
    assert not any(left.values()), left
    assert keys(commands) == []
    check_orphaned_runs(stand.services)
    stand.wait_for_stop(stand.posts("eph")[-1]["run_id"])


def test_several_are_deleted_at_once_and_each_that_cannot_be_says_why(
    stand: WorkerStand, deleter: SessionDeleter, commands: Commands
) -> None:
    add_session(stand.db, SESSION)
    run_id, thread = live(stand)
    for name, owner in (("idle", OWNER), ("theirs", "you"), ("kept", OWNER)):
        add_session(stand.db, name, owner=owner)
    names = ["idle", SESSION, "none", "theirs", "idle"]
    done = deleter.delete_all(OWNER, names, within=30.0)
    thread.join(10)
    assert list(done) == ["idle", SESSION, "none", "theirs"]
    gone = done[SESSION]
    assert isinstance(gone, Removed)
    assert (gone.run_ids, gone.forced) == ((run_id,), ())
    assert isinstance(done["idle"], Removed)
    assert isinstance(done["none"], NotFound)
    assert str(done["none"]) == str(done["theirs"])
    left = stand.db.read(lambda tx: set(tx.execute(select(SessionRow.owner, SessionRow.id)).all()))
    assert {tuple(row) for row in left} == {("you", "theirs"), (OWNER, "kept")}


def test_without_redis_each_of_several_says_so(
    stand: WorkerStand, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_session(stand.db, SESSION)
    add_run(stand.db, SESSION, state="running", turn_no=1)
    add_session(stand.db, "idle")
    deleter = SessionDeleter(stand.db, stand.services.event_log, commands, stand.services.queue)

    def fails(*_: object) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(deleter, "_notify_workers", fails)
    done = deleter.delete_all(OWNER, [SESSION, "idle"], within=1.0)
    assert isinstance(done[SESSION], RedisUnavailable)
    assert isinstance(done["idle"], Removed)


def test_the_command_deletes_a_session(
    stand: WorkerStand,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    commands: Commands,
) -> None:
    for name, value in stand.environment.items():
        monkeypatch.setenv(name, value)
    add_session(stand.db, SESSION)
    run_id = stand.run("fine")
    assert keys(commands)
    assert len(messages(stand.db, SESSION)) == 2
    assert main(["delete-session", SESSION, "--owner", "nobody"]) == 1
    assert "has no session" in capsys.readouterr().err
    assert main(["delete-session", SESSION]) == 0
    assert capsys.readouterr().out == f"deleted {SESSION}: 2 messages, 1 runs\n"
    assert stand.db.read(lambda tx: tx.get(RunRow, run_id)) is None
    assert keys(commands) == []


def test_without_redis_nothing_is_deleted(
    db: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    lived_in(db, "s")
    before = counts(db)
    assert main(["delete-session", "s"]) == 1
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["delete-session", "s"]) == 1
    told = capsys.readouterr().err
    assert "no `holdfast up` has run here" in told
    assert "Redis does not answer; nothing was deleted" in told
    assert counts(db) == before


def test_the_server_of_a_home_is_found_once_there_was_one(tmp_path: Path) -> None:
    assert address_of(tmp_path) is None
    server = EmbeddedRedis.prepare(RedisBinary(tmp_path / "server", "system"), tmp_path / "redis")
    assert address_of(tmp_path / "redis") == server.url
