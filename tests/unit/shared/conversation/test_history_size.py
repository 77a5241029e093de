"""How much of a history is sent (C8, C15)."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation import tokens
from shared.conversation.history import Format, build
from shared.conversation.history_size import (
    LEAST,
    counts_otherwise,
    cut_marked,
    fit,
    message_limit,
    sent_text,
    size,
)

Row = dict[str, Any]
FORMATS: tuple[Format, ...] = ("anthropic", "openai", "text")


def row(role: str, content: str, **more: Any) -> Row:
    return {"role": role, "content": content, **more}


def call(arguments: str) -> Row:
    function = {"name": "write", "arguments": arguments}
    return {"id": "c", "type": "function", "function": function}


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert cut_marked("x" * 6_000_000, 100_000) == f"{'x' * 100_000}… [cut: 5,900,000 characters]"
    assert cut_marked("abc", 3) == "abc"
    assert cut_marked("abc", 3, 10) == "abc… [cut: 7 characters]"


def test_a_message_may_have_half_of_the_context_and_half_of_the_history() -> None:
    assert message_limit(200_000, 4_000_000) == 400_000
    assert message_limit(2_000_000, 4_000_000) == 2_000_000
    assert message_limit(1, 10_000) == 2_000


def test_the_newest_messages_stay_and_the_oldest_are_left_out() -> None:
    rows = [row("user", f"<{n}> " + "x" * 1_000) for n in range(100)]
    shown = fit(rows, 20_000)
    assert shown[0]["content"].startswith("[")
    missing = int(re.findall(r"\d+", shown[0]["content"])[0])
    assert missing + len(shown) - 1 == 100
    assert shown[2:] == rows[missing + 1 :]
    assert 12 < len(shown) < 20


def test_a_large_message_among_small_ones_is_cut_and_they_stay() -> None:
    rows = [row("user", "a" * 3_000), row("user", "b" * 9_000_000), row("user", "c" * 100)]
    shown = fit(rows, 100_000)
    assert [entry["content"][0] for entry in shown] == ["a", "b", "c"]
    assert re.search(r"… \[cut: 8,9\d\d,\d\d\d characters\]$", shown[1]["content"])


def test_a_summary_stays_before_everything() -> None:
    rows = [row("user", "THE SUMMARY"), *(row("user", "x" * 5_000) for _ in range(9))]
    shown = fit(rows, 12_000, fixed=1)
    assert [entry["content"][:4] for entry in shown[:2]] == ["THE ", "[7 e"]


def test_large_arguments_and_blocks_are_cut_to_what_is_still_json() -> None:
    rows = [
        row("user", "look", content_blocks=[{"type": "image", "data": "x" * 500_000}]),
        row("assistant", "", tool_calls=[call('{"text": "' + "x" * 500_000 + '"}')]),
    ]
    shown = fit(rows, 100_000)
    assert (shown[0]["content"], shown[0]["content_blocks"]) == ("look", None)
    (made,) = shown[1]["tool_calls"]
    assert orjson.loads(made["function"]["arguments"])["cut"].endswith("characters]")


@pytest.mark.parametrize("count", [8, 100, 3_000])
@pytest.mark.parametrize("most", [10_000, 200_000])
def test_a_message_of_many_calls_does_not_push_out_what_came_before(count: int, most: int) -> None:
    calls = [{**call('{"x": "' + "y" * 5_000 + '"}'), "id": f"c{n}"} for n in range(count)]
    rows = [row("user", "before"), row("assistant", "", tool_calls=calls), row("user", "after")]
    shown = fit(rows, most)
    assert [one["content"] for one in (shown[0], shown[-1])] == ["before", "after"]
    assert sum(map(size, shown)) <= most
    for form in FORMATS:
        assert len(orjson.dumps(build(shown, form))) <= most


@pytest.mark.parametrize("character", ["x", "é", "漢", "😀", "\\", '"', "\n"])
@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
def test_one_message_larger_than_everything_is_cut_to_what_fits(role: str, character: str) -> None:
    rows = [row("user", "before"), row(role, character * 300_000, tool_call_id="c1")]
    shown = fit(rows, 20_000)
    assert shown[0]["content"] == "before"
    assert len(shown[1]["content"]) > 1_000
    assert "characters]" in shown[1]["content"]
    for form in FORMATS:
        assert len(orjson.dumps(build(shown, form))) <= 20_000


_texts = st.one_of(
    st.text(max_size=30),
    st.builds(lambda c, n: c * n, st.sampled_from('x\n\x01é漢😀"\\'), st.integers(0, 60_000)),
)
_calls = st.one_of(st.none(), st.lists(st.builds(call, _texts), max_size=3))
_rows = st.builds(
    lambda role, text, calls, blocks, name: row(
        role,
        text,
        tool_calls=calls if role == "assistant" else None,
        content_blocks=[{"type": "text", "text": text}] if blocks and role == "user" else None,
        tool_call_id="c" if role == "tool" else None,
        tool_name=name if role == "tool" else None,
        reasoning_content=text[:50] if role == "assistant" else None,
    ),
    st.sampled_from(["user", "assistant", "tool"]),
    _texts,
    _calls,
    st.booleans(),
    st.sampled_from(["ls", None, "write_file"]),
)


@given(rows=st.lists(_rows, max_size=12), most=st.integers(10_000, 200_000))
def test_what_is_built_fits_whatever_is_stored(rows: list[Row], most: int) -> None:
    clean = [{**r, "content": r["content"].replace("\x00", "")} for r in rows]
    shown = fit(clean, most)
    assert sum(map(size, shown)) <= most
    for form in FORMATS:
        built = build(shown, form)
        assert len(orjson.dumps(built)) <= most + LEAST
    if clean and size(clean[-1]) <= most // 2 - LEAST:
        assert shown[-1] == clean[-1]


def test_what_is_sent_is_counted_and_not_what_is_stored() -> None:
    result = row("tool", "x " * 1_000_000, token_count=720_042)
    assert counts_otherwise(result, "text")
    assert not counts_otherwise(result, "openai")
    assert tokens.count(sent_text(result, "text")) < 17_000
    assert len(sent_text(result, "openai")) == 2_000_000
    assert counts_otherwise(row("user", "x", is_cut=True), "openai")
    assert not counts_otherwise(row("user", "x" * 50_000), "text")


@pytest.mark.parametrize("form", FORMATS)
def test_calls_are_counted_with_their_arguments(form: Format) -> None:
    text = sent_text(row("assistant", "Writing.", tool_calls=[call("y" * 100_000)]), form)
    assert text.startswith("Writing.\nwrite\ny")
    assert len(text) == (4_000 + 18 if form == "text" else 100_000 + 15)


def test_reasoning_is_counted_where_it_is_sent() -> None:
    thinking = row("assistant", "a", reasoning_content="hm")
    assert [sent_text(thinking, form) for form in FORMATS] == ["a", "a\nhm", "a"]
