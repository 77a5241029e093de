"""`holdfast import`, into both databases (P29)."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deploy.cli import main
from deploy.commands.hermes_import import read_chat
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import MessageRow, SessionRow, UsageRow
from shared.db.runs import claim as claims
from shared.db.runs.claim import Claim
from shared.db.sessions.import_session import IMPORTING, ROWS, Step, complete, import_some
from shared.db.sessions.read import read_conversation
from shared.db.usage_report import By, Span, sums
from tests.support.gateways.hermes_home import Row, said, write_state
from tests.support.rows import OWNER, add_run, add_session, messages
from web.payloads import ResumePayload

HEAD = {"source": "cli", "started_at": 1.0}


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database that the command finds, with an empty Hermes home beside it."""
    upgrade(database_url)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    database = Database(database_url)
    yield database
    database.close()


def turns(session_id: str, count: int, first: int = 1) -> list[Row]:
    return [
        said(number, session_id, role, f"{role} {number}", token_count=10)
        for start in range(first, first + 2 * count, 2)
        for number, role in ((start, "user"), (start + 1, "assistant"))
    ]


def sources(db: Database) -> dict[str, str]:
    rows = db.read(lambda s: s.execute(select(SessionRow.id, SessionRow.source)).all())
    return {row.id: row.source for row in rows}


def test_a_home_is_copied_once(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a", "b", "eph_x", "compress_x", "mine", "mute"]
    counted = {"input_tokens": 5, "cache_read_tokens": 3, "actual_cost_usd": 0.5}
    write_state(
        tmp_path,
        [{"id": name, **HEAD, **counted} for name in names],
        [
            *turns("a", 2),
            *turns("b", 1, 20),
            *turns("eph_x", 1, 30),
            *turns("mine", 1, 40),
        ],
    )
    add_session(db, "mine")
    counts = "2 sessions, 6 messages; left out: 1 that are here, 2 ephemeral ones, 1 empty ones\n"
    assert main(["import", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"would import {counts}"
    assert sources(db) == {"mine": "chat"}
    assert main(["import"]) == 0
    assert capsys.readouterr().out == f"imported {counts}"
    assert sources(db) == {"mine": "chat", "a": "cli", "b": "cli"}
    assert main(["import"]) == 0
    assert capsys.readouterr().out.startswith("imported 0 sessions, 0 messages; left out: 3 ")
    row = db.read(lambda tx: tx.get(SessionRow, (OWNER, "a")))
    assert row is not None
    assert (row.message_count, row.input_tokens, row.output_tokens) == (4, 40, 20)
    assert (row.cache_read_tokens, row.actual_cost_usd, row.next_turn) == (3, 0.5, 3)
    spent = db.read(lambda tx: sums(tx, By.SESSION, Span(0.0)))
    assert {one.key: one.input_tokens for one in spent} == {"a": 5, "b": 5}
    assert not messages(db, "mine")


def test_an_imported_session_is_shown_and_goes_on(db: Database, tmp_path: Path) -> None:
    write_state(tmp_path, [{"id": "a", **HEAD}], turns("a", 2))
    main(["import", "--owner", OWNER])
    shown = db.read(lambda tx: read_conversation(tx, OWNER, "a"))
    assert [m["content"] for m in shown.messages] == [
        "user 1",
        "assistant 2",
        "user 3",
        "assistant 4",
    ]
    assert [m["timestamp"] for m in shown.messages] == [1001.0, 1002.0, 1003.0, 1004.0]
    run_id = add_run(db, "a")
    claim = db.write(lambda tx: claims.claim(tx, run_id, "w", 30.0))
    assert isinstance(claim, Claim)
    assert claim.turn_no == 3


def test_a_long_session_is_written_in_short_transactions(db: Database, tmp_path: Path) -> None:
    path = write_state(tmp_path, [{"id": "a", **HEAD}], turns("a", ROWS + 10))
    chat = read_chat(path, "a", "default")
    assert chat is not None
    step = partial(import_some, owner=OWNER, chat=chat, usage_id="import_1")
    assert db.write(step) is Step.MORE
    assert len(messages(db, "a")) == ROWS
    assert sources(db) == {"a": IMPORTING}
    assert db.read(lambda tx: complete(tx, OWNER)) == set()
    assert main(["import"]) == 0  # goes on behind the last one
    stored = messages(db, "a")
    assert [row.content for row in stored] == [row["content"] for row in chat.rows]
    assert sources(db) == {"a": "cli"}
    assert db.write(step) is Step.HERE


def test_who_went_on_in_a_half_imported_session_keeps_his_turns(
    db: Database, tmp_path: Path
) -> None:
    path = write_state(tmp_path, [{"id": "a", **HEAD}], turns("a", ROWS))
    chat = read_chat(path, "a", "default")
    assert chat is not None
    db.write(lambda tx: import_some(tx, OWNER, chat, "import_1"))
    run_id = add_run(db, "a")
    db.write(lambda tx: claims.claim(tx, run_id, "w", 30.0))
    path.unlink()
    write_state(tmp_path, [{"id": "a", **HEAD}], turns("a", ROWS + 1))  # it grew meanwhile
    assert main(["import"]) == 0
    stored = messages(db, "a")
    assert len(stored) == 2 * ROWS + 1
    assert (stored[-1].run_id, stored[-1].turn_no) == (run_id, ROWS + 1)
    row = db.read(lambda tx: tx.get(SessionRow, (OWNER, "a")))
    assert row is not None
    assert row.next_turn == ROWS + 2


def test_odd_rows_are_stored(db: Database, tmp_path: Path) -> None:
    odd: list[Row] = [
        said(1, "a", "user", None, timestamp=None),
        said(2, "a", "assistant", "a\0b" + "[" * 50, reasoning=3, tool_calls="not json"),
        said(3, "a", "tool", None, tool_call_id=9, token_count=2**62),
        said(4, "a", "assistant", "[{'type': 'text', 'text': 'x\0'}]", tool_name=b"\x00"),
    ]
    write_state(tmp_path, [{"id": "a", "title": "\0", "input_tokens": "x", **HEAD}], odd)
    assert main(["import"]) == 0
    assert len(messages(db, "a")) == 4
    assert db.read(lambda s: s.scalar(select(func.count()).select_from(UsageRow))) == 0


def test_sessions_of_another_owner_or_profile_stand_beside(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text('[profiles.work]\nurl = "http://127.0.0.1:1"\n')
    monkeypatch.setenv("PROFILES_FILE", str(profiles))
    write_state(tmp_path, [{"id": "a", **HEAD, "input_tokens": 1}], turns("a", 1))
    for owner, profile in (("one", "default"), ("two", "work")):
        assert main(["import", "--owner", owner, "--profile", profile]) == 0

    def work(tx: Session) -> list[tuple[str, str, int]]:
        rows = tx.scalars(select(SessionRow).order_by(SessionRow.owner))
        return [(row.owner, row.profile, row.message_count) for row in rows]

    assert db.read(work) == [("one", "default", 2), ("two", "work", 2)]
    assert db.read(lambda s: s.scalar(select(func.count()).select_from(UsageRow))) == 2
    assert db.read(lambda s: s.scalar(select(func.count()).select_from(MessageRow))) == 4


UNNAMEABLE = ["x" * 201, "a\nb", "a\x1b[2J", "a\u2028b", "", "a\x7f", "a\x85b"]


def test_sessions_that_no_client_can_name_are_left_out_and_counted(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [*UNNAMEABLE, "x" * 200, "ä b/c"]
    said_by = (turns(name, 1, 10 * number + 1) for number, name in enumerate(names))
    write_state(tmp_path, [{"id": name, **HEAD} for name in names], [*chain(*said_by)])
    assert main(["import"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("imported 2 sessions")
    assert shown.endswith("0 empty ones, 7 whose id no client can send\n")
    for name in sources(db):
        assert ResumePayload(session_id=name).session_id == name


def test_an_owner_that_no_token_can_name_is_refused(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_state(tmp_path, [{"id": "a", **HEAD}], turns("a", 1))
    assert main(["import", "--owner", "al ice"]) == 1
    assert "--owner" in capsys.readouterr().err
    assert sources(db) == {}


def test_faults_say_what_to_do(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import"]) == 1
    assert "set --home to the Hermes home" in capsys.readouterr().err
    (tmp_path / "state.db").write_text("this is no database, whatever its name says")
    assert main(["import"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main(["import", "--profile", "nobodys"]) == 1
    assert "There is no profile 'nobodys'" in capsys.readouterr().err
    assert sources(db) == {}


def test_a_database_without_schema_says_so(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    write_state(tmp_path, [{"id": "a", **HEAD}], turns("a", 1))
    assert main(["import", "--home", str(tmp_path)]) == 1
    assert "holdfast migrate" in capsys.readouterr().err
