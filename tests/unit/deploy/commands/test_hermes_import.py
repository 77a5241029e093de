"""The conversations of a Hermes home in our shape, however odd their rows are (P27, P29)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.commands.hermes_import import message_rows, read_chat, session_ids
from shared.conversation import tokens
from shared.identifiers import is_identifier
from tests.support.gateways.hermes_home import Row, said, write_state

CALL = {"id": "c1", "type": "function", "function": {"name": "terminal", "arguments": "{}"}}


def chat(home: Path, *messages: Row, **columns: Any) -> Any:
    path = write_state(home, [{"id": "s", "source": "cli", "started_at": 1.0, **columns}], messages)
    return read_chat(path, "s", "default")


def places(rows: Sequence[Row]) -> list[tuple[int, int, str]]:
    return [(row["turn_no"], row["idx"], row["content"]) for row in rows]


def test_each_user_message_begins_a_turn(tmp_path: Path) -> None:
    found = chat(
        tmp_path,
        said(1, "s", "user", "one"),
        said(2, "s", "assistant", "", tool_calls=json.dumps([CALL])),
        said(3, "s", "tool", "done", tool_call_id="c1"),
        said(4, "s", "assistant", "first"),
        said(5, "s", "user", "two"),
        said(6, "s", "user", "two again"),
        said(7, "s", "assistant", "second"),
    )
    assert places(found.rows) == [
        (1, 0, "one"),
        (1, 1, ""),
        (1, 2, "done"),
        (1, 3, "first"),
        (2, 0, "two"),
        (3, 0, "two again"),
        (3, 1, "second"),
    ]
    call, result = found.rows[1], found.rows[2]
    assert call["tool_calls"] == [CALL]
    assert (result["tool_call_id"], result["tool_name"]) == ("c1", "terminal")


def test_what_comes_before_the_first_question_stands_in_a_turn_of_its_own() -> None:
    messages = [said(1, "s", "assistant", "hi"), said(2, "s", "user", "yes?")]
    rows = message_rows([dict(message) for message in messages], None)
    assert places(list(rows)) == [(1, 1, "hi"), (2, 0, "yes?")]


def test_messages_without_content_are_left_out(tmp_path: Path) -> None:
    found = chat(
        tmp_path,
        said(1, "s", "system", "be good"),
        said(2, "s", None, "?"),
        said(3, "s", "user", None),
        said(4, "s", "assistant", None),
        said(5, "s", "assistant", "Operation interrupted."),
        said(6, "s", "assistant", "taken back", active=0),
        said(7, "s", "assistant", "fine", active=1),
    )
    assert places(found.rows) == [(1, 0, ""), (1, 1, "fine")]


def test_stringified_answers_are_read_and_questions_are_not(tmp_path: Path) -> None:
    blocks = "[{'type': 'thinking', 'thinking': 'hm'}, {'type': 'text', 'text': \"it's\"}]"
    found = chat(
        tmp_path,
        said(1, "s", "user", blocks),
        said(2, "s", "assistant", blocks),
        said(3, "s", "assistant", "[1, 2]"),
    )
    assert [row["content"] for row in found.rows] == [blocks, "it's", "[1, 2]"]
    assert found.rows[1]["reasoning"] == "hm"


def test_content_that_is_no_text_becomes_text_and_a_questions_blocks_are_kept(
    tmp_path: Path,
) -> None:
    blocks = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}]
    stored = "\x00json:" + json.dumps(blocks)
    found = chat(tmp_path, said(1, "s", "user", stored), said(2, "s", "assistant", stored))
    question, answer = found.rows
    assert (question["content"], question["content_blocks"]) == ("look\n[image]", blocks)
    assert (answer["content"], answer["content_blocks"]) == ("look\n[image]", None)


def test_what_a_database_cannot_hold_is_replaced(tmp_path: Path) -> None:
    found = chat(
        tmp_path,
        said(1, "s", "user", "a\0b", reasoning=7, finish_reason=b"\xff"),
        said(2, "s", "assistant", b"\x00\xff"),
        said(3, "s", "assistant", "c", tool_calls=b"[]", timestamp="soon", token_count="many"),
        title="t\0",
        started_at=None,
        ended_at=float("inf"),
        user_id=5,
    )
    question, answer = found.rows
    assert (question["content"], question["reasoning"], question["finish_reason"]) == (
        "a\ufffdb",
        None,
        None,
    )
    assert (answer["content"], answer["timestamp"], answer["tool_calls"]) == ("c", 1001.0, None)
    assert answer["token_count"] == tokens.count("c")
    columns = found.columns
    assert (columns["title"], columns["started_at"], columns["ended_at"]) == (
        "t\ufffd",
        1001.0,
        None,
    )
    assert columns["user_id"] is None


@pytest.mark.parametrize(("stored", "kept"), [(77, 77), (0, 2), (None, 2), (-1, 2), (2**40, 2)])
def test_tokens_are_counted_where_they_were_not(
    tmp_path: Path, stored: int | None, kept: int
) -> None:
    found = chat(tmp_path, said(1, "s", "user", "hello there", token_count=stored))
    assert found.rows[0]["token_count"] == kept


def test_a_session_keeps_what_it_is_called_and_what_it_cost(tmp_path: Path) -> None:
    found = chat(
        tmp_path,
        said(1, "s", "user", "a question"),
        said(2, "s", "assistant", "an\nanswer"),
        title="Mine",
        model="m",
        cwd="/src",
        ended_at=2000.0,
        end_reason="cli_close",
        input_tokens=100,
        cache_read_tokens=7,
        estimated_cost_usd=0.5,
        billing_provider="p",
    )
    assert found.columns == {
        "profile": "default",
        "source": "cli",
        "user_id": None,
        "model": "m",
        "title": "Mine",
        "preview": "an answer",
        "workspace": "/src",
        "started_at": 1.0,
        "ended_at": 2000.0,
        "end_reason": "cli_close",
        "last_active": 1002.0,
    }
    told = {name: value for name, value in found.usage.items() if value}
    assert told == {
        "input_tokens": 100,
        "cache_read_tokens": 7,
        "estimated_cost_usd": 0.5,
        "billing_provider": "p",
        "model": "m",
        "created_at": 1002.0,
    }


def test_a_session_without_title_is_called_after_its_question(tmp_path: Path) -> None:
    found = chat(tmp_path, said(1, "s", "user", "line\nline"), title=None)
    assert (found.columns["title"], found.columns["preview"]) == ("line line", "line line")
    assert found.usage == {}


def test_a_session_in_which_nothing_was_said_is_none(tmp_path: Path) -> None:
    assert chat(tmp_path, said(1, "other", "user", "x")) is None


def test_names_that_no_client_can_send_are_told_apart(tmp_path: Path) -> None:
    names = ["b", None, "a", "", "x" * 256, "nul\0", 7, b"raw"]
    rows = [{"id": name, "started_at": number} for number, name in enumerate(names)]
    listed = session_ids(write_state(tmp_path, rows, []))
    assert len(listed) == len(names)
    assert [name for name in listed if is_identifier(name)] == ["b", "a"]
