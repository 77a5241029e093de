"""Ephemeral gateway sessions: deleted in time, put off, parked, and swept (R25, P26)."""

import os
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text, update
from sqlalchemy.orm import Session

from deploy.local.ports import free_port
from shared.db import gateway_sessions
from shared.db.clock import DbNow, read_clock
from shared.db.gateway_sessions import HOLD, PARKED, PENDING, UNSYNCED_AFTER, queue_deletion
from shared.db.models import AttemptRow, DeletionRow
from shared.db.runs.gateway_orphans import track_orphan
from shared.settings import Settings
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.migrated import migrated
from tests.support.rows import add_run, add_session
from tests.support.servers.processes import Processes
from tests.support.servers.redis_server import RedisServer
from worker.app import build
from worker.gateway.client import GatewayClient
from worker.maintenance.gateway_session_cleanup import BATCH, delete_due, is_ours, last_used, sweep
from worker.services import Services

KEY = "a-key-that-is-long-enough"
DAY = 24 * 3600.0


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoGateway]:
    with DemoGateway.start(key=KEY, max_runs=0, session_delay=0.0) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def without_faults(demo: DemoGateway) -> None:
    demo.clear_faults()


@pytest.fixture
def make_services(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """Makes the services of a maintenance worker on this database; `environ` changes settings."""
    migrated(database_url)
    made: list[Services] = []

    def make(url: str, **environ: str) -> Services:
        services = build(
            Settings.load(
                {
                    "HOLDFAST_HOME": str(tmp_path),
                    "REDIS_URL": "redis://127.0.0.1:1/0",  # deletions need none
                    "DATABASE_URL": database_url,
                    "HERMES_HOME": str(tmp_path / "no-hermes"),
                    "HERMES_URL": url,
                    "HERMES_API_KEY": KEY,
                    **environ,
                }
            )
        )
        made.append(services)
        return services

    yield make
    for services in made:
        services.db.close()


@pytest.fixture
def services(make_services: Callable[..., Services], demo: DemoGateway) -> Services:
    return make_services(demo.url)


def queue(services: Services, *names: str, saved: bool = True, profile: str = "default") -> None:
    def work(tx: Session) -> None:
        for name in names:
            queue_deletion(tx, profile, name, saved=saved)

    services.db.write(work)


def rows(services: Services) -> dict[str, DeletionRow]:
    def work(tx: Session) -> dict[str, DeletionRow]:
        found = {row.session_id: row for row in tx.scalars(select(DeletionRow))}
        tx.expunge_all()
        return found

    return services.db.read(work)


def wait_of(services: Services, name: str) -> float:
    """Seconds until its deletion is tried again."""
    return rows(services)[name].next_attempt_at - services.db.read(lambda tx: read_clock(tx))


def let_time_pass(services: Services, seconds: float) -> None:
    """Make the rows that much older."""
    services.db.write(
        lambda tx: tx.execute(
            update(DeletionRow).values(next_attempt_at=DeletionRow.next_attempt_at - seconds)
        )
    )


def create(demo: DemoGateway, *names: str) -> None:
    """Have the gateway create sessions of these names."""
    for name in names:
        demo.events(demo.post("[[demo {}]] hi", session_id=name))


def exists(demo: DemoGateway, name: str) -> bool:
    return demo.request("GET", f"/api/sessions/{name}").status_code == 200


# --- deleting -----------------------------------------------------------------------------------


def test_what_is_queued_is_deleted_at_the_gateway_and_so_is_its_row(
    services: Services, demo: DemoGateway
) -> None:
    create(demo, "eph_hf_1", "eph_hf_2", "eph_hf_other")
    queue(services, "eph_hf_1", "eph_hf_2")
    delete_due(services)
    assert [exists(demo, f"eph_hf_{n}") for n in ("1", "2", "other")] == [False, False, True]
    assert rows(services) == {}


def test_a_session_that_is_gone_already_counts_as_done(services: Services) -> None:
    queue(services, "eph_hf_never_there")
    delete_due(services)
    assert rows(services) == {}


def test_an_unsaved_session_is_kept_for_a_day(services: Services, demo: DemoGateway) -> None:
    create(demo, "eph_hf_unsaved")
    queue(services, "eph_hf_unsaved", saved=False)
    delete_due(services)
    assert exists(demo, "eph_hf_unsaved")
    assert UNSYNCED_AFTER - 60 < wait_of(services, "eph_hf_unsaved") <= UNSYNCED_AFTER
    let_time_pass(services, UNSYNCED_AFTER)
    delete_due(services)
    assert not exists(demo, "eph_hf_unsaved")


def test_a_transcript_that_was_saved_late_frees_its_session(
    services: Services, demo: DemoGateway
) -> None:
    create(demo, "eph_hf_late")
    queue(services, "eph_hf_late", saved=False)
    queue(services, "eph_hf_late", saved=True)
    delete_due(services)
    assert not exists(demo, "eph_hf_late")


def test_the_sessions_of_all_attempts_are_queued_and_what_is_queued_stays(
    services: Services,
) -> None:
    names = ["eph_late", "eph_parked", "eph_taken", "eph_new", "eph_new", "eph_not_sent"]
    queue(services, "eph_late", "eph_parked", "eph_taken", saved=False)

    def work(tx: Session) -> None:
        parked, taken = tx.get_one(DeletionRow, ("default", "eph_parked")), DbNow() + 600.0
        parked.status, parked.attempt_count = PARKED, 3
        tx.get_one(DeletionRow, ("default", "eph_taken")).next_attempt_at = taken
        for fence, name in enumerate(names):
            sent = {"ephemeral_id": name, "never_sent": name == "eph_not_sent"}
            tx.add(AttemptRow(run_id="run_1", fence=fence, profile="default", **sent))

    services.db.write(work)
    services.db.write(
        lambda s: gateway_sessions.queue_deletion_of_attempts(s, "run_1", "default", saved=True)
    )
    assert set(rows(services)) == {"eph_late", "eph_parked", "eph_taken", "eph_new"}
    assert wait_of(services, "eph_late") <= 0
    assert wait_of(services, "eph_new") <= 0
    assert wait_of(services, "eph_taken") > 500
    assert wait_of(services, "eph_parked") > HOLD
    assert rows(services)["eph_parked"].status == PARKED


def test_one_call_goes_on_until_nothing_is_due(services: Services) -> None:
    queue(services, *(f"eph_hf_{n:03}" for n in range(2 * BATCH + 3)))
    assert delete_due(services) == {"deleted": 2 * BATCH + 3}
    assert rows(services) == {}


def test_a_call_ends_with_its_time_or_with_the_process(services: Services) -> None:
    names = [f"eph_hf_{n:03}" for n in range(BATCH + 3)]
    queue(services, *names)
    assert delete_due(services, within=0.0) == {"deleted": 0}
    services.draining = True
    assert delete_due(services) == {"deleted": 0}
    assert sorted(rows(services)) == names


def test_the_oldest_are_found_without_sorting_all_that_are_due(services: Services) -> None:
    oldest, names = ["eph_hf_z", "eph_hf_y"], [f"eph_hf_{n:04}" for n in range(2_000)]
    for name in oldest:
        queue(services, name)
        let_time_pass(services, 1.0)  # two in one millisecond are as old as each other to SQLite
    queue(services, *names)
    services.db.write(lambda tx: tx.execute(text("ANALYZE")))
    queries: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT pending"):
            queries.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        taken = services.db.write(lambda tx: gateway_sessions.take_due(tx, "default", 2))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert [due.session_id for due in taken] == oldest
    ((statement, parameters),) = queries
    word = "EXPLAIN QUERY PLAN " if services.db.is_sqlite else "EXPLAIN "
    plan = services.db.write(
        lambda tx: [*tx.connection().exec_driver_sql(word + statement, parameters)]
    )
    lines = "\n".join(str(row[-1]) for row in plan)
    assert "deletes_due" in lines, lines
    for wrong in ("Seq Scan", "Bitmap", "->  Sort", "MULTI-INDEX OR", "B-TREE FOR ORDER BY"):
        assert wrong not in lines, lines


def test_a_batch_is_taken_and_reported_on_in_few_transactions(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite each of them keeps others from writing."""
    queue(services, *(f"eph_hf_{n:03}" for n in range(BATCH - 1)))
    written: list[object] = []
    write = services.db.write

    def counting(work: Callable[[Session], object]) -> object:
        written.append(work)
        return write(work)

    monkeypatch.setattr(services.db, "write", counting)
    assert delete_due(services) == {"deleted": BATCH - 1}
    assert len(written) == 2


def test_each_session_is_deleted_at_its_own_gateway(
    make_services: Callable[..., Services], demo: DemoGateway, tmp_path: Path
) -> None:
    with DemoGateway.start(key="another-key-of-some-length", session_delay=0.0) as other:
        profiles = tmp_path / "profiles.toml"
        profiles.write_text(f'[profiles.other]\nurl="{other.url}"\napi_key="{other.key}"\n')
        services = make_services(demo.url, PROFILES_FILE=str(profiles))
        for gateway in (demo, other):
            create(gateway, "eph_hf_twin")
        queue(services, "eph_hf_twin", profile="other")
        delete_due(services)
        assert (exists(demo, "eph_hf_twin"), exists(other, "eph_hf_twin")) == (True, False)


def test_two_beats_at_once_delete_each_session_once(services: Services, demo: DemoGateway) -> None:
    names = [f"eph_hf_both_{uuid.uuid4().hex}" for _ in range(20)]
    create(demo, *names)
    queue(services, *names)
    barrier = threading.Barrier(2)

    def beat() -> None:
        barrier.wait()
        delete_due(services)

    threads = [threading.Thread(target=beat) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    deleted = [d for name in names for d in demo.record(name)["deletes"]]
    assert len(deleted) == len(names)
    assert rows(services) == {}


def test_what_a_dead_worker_had_taken_comes_back(services: Services, demo: DemoGateway) -> None:
    create(demo, "eph_hf_taken")
    queue(services, "eph_hf_taken")
    (taken,) = services.db.write(lambda tx: gateway_sessions.take_due(tx, "default", BATCH))
    delete_due(services)
    assert exists(demo, "eph_hf_taken")
    let_time_pass(services, HOLD)
    delete_due(services)
    assert not exists(demo, "eph_hf_taken")
    assert not services.db.write(lambda tx: gateway_sessions.note_failure(tx, taken, "too late"))
    assert rows(services) == {}


def test_a_maintenance_worker_begins_with_it(
    services: Services,
    demo: DemoGateway,
    redis_server: RedisServer,
    processes: Processes,
    tmp_path: Path,
) -> None:
    create(demo, "eph_hf_waiting")
    queue(services, "eph_hf_waiting")
    environment = {
        "HOLDFAST_HOME": str(tmp_path),
        "HERMES_HOME": str(tmp_path / "no-hermes"),
        "REDIS_URL": redis_server.url,
        "DATABASE_URL": services.settings.database_url,
        "HERMES_URL": demo.url,
        "HERMES_API_KEY": KEY,
    }
    worker = processes.start_module("maintenance", "worker", "maintenance", environment=environment)
    worker.wait_for_log("gateway_session.deleted profile=default session=eph_hf_waiting")
    assert not exists(demo, "eph_hf_waiting")


# --- failing ------------------------------------------------------------------------------------


def test_failures_wait_longer_each_time_and_the_third_parks(
    services: Services, demo: DemoGateway
) -> None:
    create(demo, "eph_hf_stuck")
    queue(services, "eph_hf_stuck")
    demo.faults(sessions_error=500)
    for failures, pause in ((1, 60), (2, 120)):
        delete_due(services)
        row = rows(services)["eph_hf_stuck"]
        assert (row.status, row.attempt_count) == (PENDING, failures)
        assert pause - 30 < wait_of(services, "eph_hf_stuck") <= pause
        delete_due(services)
        assert rows(services)["eph_hf_stuck"].attempt_count == failures, "not before its time"
        let_time_pass(services, pause)
    delete_due(services)
    (parked,) = services.db.read(lambda tx: gateway_sessions.parked(tx, 10))
    assert (parked.session_id, parked.status, parked.attempt_count) == ("eph_hf_stuck", PARKED, 3)
    assert "HTTP 500" in str(parked.last_error)
    demo.clear_faults()
    let_time_pass(services, DAY)
    delete_due(services)
    assert exists(demo, "eph_hf_stuck"), "parked is parked"


def test_a_gateway_that_is_away_is_asked_once_a_tick(
    make_services: Callable[..., Services],
) -> None:
    services = make_services(f"http://127.0.0.1:{free_port()}")
    queue(services, "eph_hf_a", "eph_hf_b", "eph_hf_c")
    delete_due(services)
    found = rows(services)
    assert sorted(row.attempt_count for row in found.values()) == [0, 0, 1]
    assert all(row.status == PENDING and row.last_error for row in found.values())
    assert all(0 < wait_of(services, name) <= 60 for name in found)


def test_a_profile_that_is_gone_parks_its_sessions_and_stops_nobody_else(
    services: Services, demo: DemoGateway
) -> None:
    create(demo, "eph_hf_mine")
    queue(services, "eph_hf_orphan", profile="a-profile-of-old")
    queue(services, "eph_hf_mine")
    for _ in range(3):
        delete_due(services)
        let_time_pass(services, 600)
    assert not exists(demo, "eph_hf_mine")
    assert rows(services)["eph_hf_orphan"].status == PARKED
    assert "a-profile-of-old" in str(rows(services)["eph_hf_orphan"].last_error)


# --- gateways that cannot -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 405, 501])
def test_without_endpoint_and_command_it_is_parked_at_once_and_says_why(
    services: Services,
    demo: DemoGateway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    status: int,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    demo.faults(sessions_error=status)
    queue(services, "eph_hf_old")
    delete_due(services)
    row = rows(services)["eph_hf_old"]
    assert (row.status, row.attempt_count) == (PARKED, 1)
    assert "cannot delete sessions over HTTP" in str(row.last_error)


@pytest.fixture
def old_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: DemoGateway) -> Path:
    """The home of an older gateway (the demo, without its sessions), and a `hermes` on PATH that
    deletes from the home's `state.db` as the real one says it does."""
    home, folder = tmp_path / "old-home", tmp_path / "bin"
    home.mkdir()
    folder.mkdir()
    port = demo.url.rpartition(":")[2]
    (home / ".env").write_text(f"API_SERVER_KEY={KEY}\nAPI_SERVER_PORT={port}\n")
    with sqlite3.connect(home / "state.db") as db:
        db.execute("CREATE TABLE sessions (id TEXT, source TEXT)")
        db.execute("CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content TEXT)")
        db.executemany("INSERT INTO sessions VALUES (?, 'api')", [("eph_hf_x",), ("eph_hf_xy",)])
    db.close()
    script = folder / "hermes"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, sqlite3, sys\n"
        "assert sys.argv[1:5] == ['sessions', 'delete', '--yes', '--'], sys.argv\n"
        "db = sqlite3.connect(os.environ['HERMES_HOME'] + '/state.db', isolation_level=None)\n"
        "db.execute('DELETE FROM sessions WHERE id = ?', sys.argv[5:])\n"
        "print(f\"Deleted session '{sys.argv[5]}'.\")\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return home


def names_in(home: Path) -> list[str]:
    db = sqlite3.connect(home / "state.db")
    try:
        return [name for (name,) in db.execute("SELECT id FROM sessions ORDER BY id")]
    finally:
        db.close()


def test_an_older_gateway_is_served_by_its_command(
    make_services: Callable[..., Services], demo: DemoGateway, old_home: Path
) -> None:
    services = make_services("", HERMES_HOME=str(old_home))
    demo.faults(sessions_error=404)
    queue(services, "eph_hf_xy")
    delete_due(services)
    assert names_in(old_home) == ["eph_hf_x"]
    assert rows(services) == {}


def test_the_command_is_not_asked_for_a_session_that_its_home_does_not_have(
    make_services: Callable[..., Services], demo: DemoGateway, old_home: Path
) -> None:
    services = make_services("", HERMES_HOME=str(old_home))
    demo.faults(sessions_error=404)
    queue(services, "eph_hf_")  # the real command takes a unique beginning for a name
    delete_due(services)
    assert names_in(old_home) == ["eph_hf_x", "eph_hf_xy"]
    assert rows(services) == {}


# --- the sweep ----------------------------------------------------------------------------------


def sweep_at_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep as if all sessions were old."""
    monkeypatch.setattr("worker.maintenance.gateway_session_cleanup.SWEEP_AFTER", -DAY)
    sweep(services)


def test_the_sweep_queues_untracked_sessions_of_this_installation_only(
    make_services: Callable[..., Services], demo: DemoGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_services(demo.url, INSTALLATION="sweeper")
    mine = ["eph_sweeper_lost", "compress_sweeper_lost"]
    others = ["eph_sweeper2_x", "eph_theirs_x", "someones-own", "eph_sweeper_live", "eph_sweeper_c"]
    create(demo, *mine, *others)
    _run_that_uses(services, "eph_sweeper_live")
    services.db.write(
        lambda tx: track_orphan(
            tx,
            run_id="r",
            profile="default",
            kind="stop",
            ephemeral_id="eph_sweeper_c",
            gateway_run_id=None,
        )
    )
    sweep(services)
    assert rows(services) == {}, "they are too young"
    sweep_at_once(services, monkeypatch)
    assert sorted(rows(services)) == sorted(mine)
    delete_due(services)
    assert [exists(demo, name) for name in (*mine, *others)] == [False] * 2 + [True] * 5


def _run_that_uses(services: Services, name: str) -> None:
    add_session(services.db, "s")
    run_id = add_run(services.db, "s")
    services.db.write(
        lambda tx: tx.add(AttemptRow(run_id=run_id, fence=1, ephemeral_id=name, profile="default"))
    )


def test_the_sweep_gives_a_parked_session_another_chance(
    make_services: Callable[..., Services], demo: DemoGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_services(demo.url, INSTALLATION="parker")
    create(demo, "eph_parker_1")
    queue(services, "eph_parker_1")
    demo.faults(sessions_error=405, count=1)
    delete_due(services)
    assert rows(services)["eph_parker_1"].status == PARKED
    sweep_at_once(services, monkeypatch)
    delete_due(services)
    assert not exists(demo, "eph_parker_1")


def test_the_sweep_reads_all_pages(
    make_services: Callable[..., Services], demo: DemoGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_services(demo.url, INSTALLATION="pager")
    names = [f"eph_pager_{n}" for n in range(5)]
    create(demo, *names)
    by_two = partialmethod(GatewayClient.list_sessions, limit=2)
    monkeypatch.setattr(GatewayClient, "list_sessions", by_two)
    sweep_at_once(services, monkeypatch)
    assert sorted(rows(services)) == names


def test_a_gateway_that_cannot_be_swept_stops_nobody_else(
    services: Services, demo: DemoGateway
) -> None:
    demo.faults(sessions_error=500)
    sweep(services)
    assert rows(services) == {}


def test_a_continuation_belongs_to_the_installation_of_its_session() -> None:
    assert is_ours({"id": "20260101_x", "parent_session_id": "eph_hf_1"}, "hf")
    assert is_ours({"id": "20260101_x", "_lineage_root_id": "eph_hf_1"}, "hf")
    assert not is_ours({"id": "20260101_x", "parent_session_id": None}, "hf")
    assert not is_ours({"id": 5}, "hf")


def test_a_session_without_times_counts_as_used_just_now() -> None:
    assert last_used({"started_at": None}) > time.time()
    assert last_used({"started_at": 5.0, "last_active": 7}) == 7.0
