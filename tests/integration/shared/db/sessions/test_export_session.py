"""An exported session has everything, and can be imported again (both databases)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from deploy.cli import main
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import MessageRow, SessionRow, UsageRow
from shared.db.search.index import index_some
from shared.db.sessions import export_session as exports
from shared.db.sessions.edit_session import update_session
from shared.db.sessions.export_session import Format, export_session
from shared.errors import NotFound
from tests.support.rows import OWNER
from tests.support.turns import ask, end

CALL = {"id": "c", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
ROWS: tuple[dict[str, Any], ...] = (
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [CALL],
        "reasoning": "hm",
        "reasoning_duration": 1.5,
        "timestamp": 5.25,
    },
    {
        "role": "tool",
        "content": "```\nfile",
        "tool_call_id": "c",
        "tool_name": "ls",
        "error": True,
        "duration": 0.25,
    },
    {"role": "assistant", "content": "Done: 天气 🎉\n```py\nx = 1", "finish_reason": "stop"},
)


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    upgrade(database_url)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(exports, "PAGE", 2)
    database = Database(database_url)
    yield database
    database.close()


def lived(db: Database) -> None:
    end(db, ask(db, "s", "Hello\nthere"), *ROWS)
    end(db, ask(db, "s", "And?"), {"role": "assistant", "content": "Fine"})
    db.write(lambda tx: update_session(tx, OWNER, "s", {"title": "Mine", "pinned": True}))
    usage = {"owner": OWNER, "session_id": "s", "profile": "default", "created_at": 3.0}
    for number in (1, 2):
        values = {"input_tokens": number, "actual_cost_usd": 0.5}
        db.write(lambda tx, n=number, v=values: tx.merge(UsageRow(run_id=f"u{n}", **v, **usage)))  # type: ignore[misc]


def exported(db: Database, kind: Format = "json", owner: str = OWNER) -> bytes:
    return b"".join(export_session(db, owner, "s", kind))


def rows(db: Database, owner: str) -> list[dict[str, Any]]:
    names = [
        c.name for c in MessageRow.__table__.columns if c.name not in {"id", "owner", "run_id"}
    ]
    columns = [getattr(MessageRow, name) for name in names]
    query = select(*columns).where(MessageRow.owner == owner).order_by("turn_no", "idx")
    return db.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])


def test_json_comes_back_as_it_was(db: Database, tmp_path: Path) -> None:
    lived(db)
    waiting = ask(db, "s", "not yet")
    file = tmp_path / "s.json"
    file.write_bytes(exported(db))
    assert b"not yet" not in file.read_bytes()
    assert orjson.loads(file.read_bytes())["session"]["title"] == "Mine"
    assert main(["import", "--file", str(file), "--owner", "you"]) == 0
    assert main(["import", "--file", str(file), "--owner", "you"]) == 0
    db.write(index_some)
    before = [row for row in rows(db, OWNER) if row["turn_no"] is not None]
    assert rows(db, "you") == before
    assert len(before) == 6
    theirs = db.read(lambda tx: tx.get(SessionRow, ("you", "s")))
    mine = db.read(lambda tx: tx.get(SessionRow, (OWNER, "s")))
    assert theirs is not None
    assert mine is not None
    for name in ("title", "pinned", "message_count", "source", "started_at", "next_turn"):
        assert getattr(theirs, name) == getattr(mine, name), name
    assert theirs.actual_cost_usd == 1.0
    assert waiting


def test_markdown_is_readable(db: Database) -> None:
    lived(db)
    text = exported(db, "md").decode()
    assert text.startswith("# Mine\n")
    first = next(line for line in text.splitlines() if line.startswith("## "))
    assert first.startswith("## User · ")
    assert "````\n```\nfile\n````" in text
    assert "> Done: 天气 🎉\n> ```py\n> x = 1" in text
    assert '"name": "ls"' in text


def test_a_session_of_another_owner_is_none(db: Database) -> None:
    lived(db)
    for owner, name in (("you", "s"), (OWNER, "t")):
        for kind in ("json", "md"):
            with pytest.raises(NotFound):
                export_session(db, owner, name, kind)


HEAD = {"format": "holdfast.session", "version": 1, "messages": []}
ABOUT = {"id": "a", "started_at": 1, "last_active": 1}
SAID = {"role": "user", "content": "x", "turn_no": 1, "idx": 0, "timestamp": 1}


@pytest.mark.parametrize(
    "found",
    [
        [], {}, None, {**HEAD, "version": 2, "session": ABOUT}, HEAD,
        {**HEAD, "session": {**ABOUT, "id": "a\n"}},
        {**HEAD, "session": {**ABOUT, "started_at": -1}},
        {**HEAD, "session": ABOUT, "messages": [{**SAID, "content": 7}]},
        {**HEAD, "session": ABOUT, "messages": [{**SAID, "turn_no": "1"}]},
        {**HEAD, "session": ABOUT, "messages": [{**SAID, "role": None}]},
        {**HEAD, "session": ABOUT, "messages": [{**SAID, "tool_calls": {}}]},
        {**HEAD, "session": ABOUT, "messages": [7]},
    ],
)  # fmt: skip
def test_other_files_are_refused(
    db: Database, tmp_path: Path, found: object, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(orjson.dumps(found))
    assert main(["import", "--file", str(file)]) == 1
    assert "x.json is no" in capsys.readouterr().err
    assert main(["import", "--file", str(tmp_path / "none")]) == 1
    assert db.read(lambda tx: tx.scalars(select(SessionRow.id)).all()) == []
