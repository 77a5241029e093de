"""Reading the `state.db` of gateways of other ages, and of none (P25)."""

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from worker.gateway import hermes_state_db
from worker.gateway.models import GatewayMessage

Row = Mapping[str, Any]


def write(home: Path, sessions: Sequence[Row], messages: Sequence[Row]) -> None:
    """A `state.db` whose tables have the columns of the first rows and no others."""
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as db:
        for table, rows in (("sessions", sessions), ("messages", messages)):
            names = list(rows[0])
            db.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            marks = ", ".join("?" * len(names))
            db.executemany(
                f"INSERT INTO {table} VALUES ({marks})",
                [[row.get(name) for name in names] for row in rows],
            )


def old_session(name: str, **columns: Any) -> Row:
    return {"id": name, "source": "api", "started_at": 1.0, **columns}


def test_columns_that_an_older_gateway_lacks_are_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        [old_session("eph_1")],
        [{"id": 1, "session_id": "eph_1", "role": "user", "content": "hi", "timestamp": 2.0}],
    )
    found = hermes_state_db.read(tmp_path, "eph_1")
    assert found is not None
    assert found.session_ids == ("eph_1",)
    (message,) = found.messages
    assert set(message) == set(GatewayMessage.__annotations__)
    assert (message["content"], message["tool_calls"]) == ("hi", [])
    assert found.usage is not None
    assert (found.usage["reasoning_tokens"], found.usage["end_reason"]) == (0, None)


def test_calls_and_content_are_objects_again_and_odd_ones_are_none(tmp_path: Path) -> None:
    calls = [{"id": "c", "function": {"name": "t", "arguments": "{}"}}]
    blocks = [{"type": "text", "text": "it's"}]
    common = {"session_id": "s", "role": "assistant", "timestamp": 1.0}
    write(
        tmp_path,
        [old_session("s")],
        [
            {**common, "id": 1, "content": "\x00json:" + json.dumps(blocks), "tool_calls": None},
            {**common, "id": 2, "content": "", "tool_calls": json.dumps(calls)},
            {**common, "id": 3, "content": "\x00json:[", "tool_calls": "[{"},
        ],
    )
    found = hermes_state_db.read(tmp_path, "s")
    assert found is not None
    assert [m["content"] for m in found.messages] == ["it's", "", "["]
    assert [len(m["tool_calls"]) for m in found.messages] == [0, len(calls), 0]


def test_rows_that_the_gateway_took_back_are_left_out(tmp_path: Path) -> None:
    common = {"session_id": "s", "role": "user", "timestamp": 1.0}
    rows = [
        {**common, "id": n, "content": str(n), "active": active}
        for n, active in enumerate((1, 0, None))
    ]
    write(tmp_path, [old_session("s")], rows)
    found = hermes_state_db.read(tmp_path, "s")
    assert found is not None
    assert [m["content"] for m in found.messages] == ["0", "2"]


def chain(tmp_path: Path, *sessions: Row) -> tuple[str, ...]:
    first = {"parent_session_id": None, "ended_at": None, "end_reason": None, "input_tokens": 5}
    rows = [{**old_session(str(row["id"])), **first, **row} for row in sessions]
    messages = [
        {"id": n, "session_id": row["id"], "role": "user", "content": "x", "timestamp": 1.0}
        for n, row in enumerate(rows)
    ]
    write(tmp_path, rows, messages)
    found = hermes_state_db.read(tmp_path, str(rows[0]["id"]))
    assert found is not None
    assert found.usage is not None
    assert found.usage["input_tokens"] == 5 * len(found.session_ids) == 5 * len(found.messages)
    return found.session_ids


COMPRESSED = {"end_reason": "compression", "ended_at": 2.0}


def test_continuations_are_read_in_order_and_their_usage_is_summed(tmp_path: Path) -> None:
    names = chain(
        tmp_path,
        {"id": "a", **COMPRESSED},
        {"id": "b", "parent_session_id": "a", "started_at": 2.0, **COMPRESSED},
        {"id": "c", "parent_session_id": "b", "started_at": 3.0},
    )
    assert names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ({"end_reason": "done", "ended_at": 2.0}, {"started_at": 3.0}),
        (COMPRESSED, {"started_at": 1.5}),
        (COMPRESSED, {"started_at": 3.0, "source": "tool"}),
        (COMPRESSED, {"started_at": None}),
    ],
)
def test_other_children_are_no_continuation(tmp_path: Path, parent: Row, child: Row) -> None:
    names = chain(tmp_path, {"id": "a", **parent}, {"id": "b", "parent_session_id": "a", **child})
    assert names == ("a",)


def test_a_circle_ends(tmp_path: Path) -> None:
    names = chain(
        tmp_path,
        {"id": "a", "parent_session_id": "b", "started_at": 9.0, **COMPRESSED},
        {"id": "b", "parent_session_id": "a", "started_at": 9.0, **COMPRESSED},
    )
    assert names == ("a", "b")


def test_nothing_is_written_and_nothing_is_made(tmp_path: Path) -> None:
    assert hermes_state_db.read(tmp_path, "s") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_what_cannot_be_read_is_told_and_counts_as_absent(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state.db").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert hermes_state_db.read(tmp_path, "s") is None
    assert "state_db.unreadable" in caplog.text


def test_text_that_is_not_utf_8_is_read_all_the_same(tmp_path: Path) -> None:
    row = {"id": 1, "session_id": "s", "role": "tool", "content": "x", "timestamp": 1.0}
    write(tmp_path, [old_session("s")], [row])
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        db.execute("UPDATE messages SET content = CAST(x'61ff62' AS TEXT)")
    found = hermes_state_db.read(tmp_path, "s")
    assert found is not None
    assert found.messages[0]["content"] == "a\ufffdb"
