"""Stringified blocks are read back exactly; other text is left alone; texts become storable."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.content import (
    NESTING_LIMIT,
    REPLACEMENT,
    blocks_to_text,
    clean_json,
    clean_text,
    input_text,
    parse_stringified,
    read_blocks,
)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("[{'type': 'text', 'text': 'hi'}]", "hi"),
        ("[{'type': 'text', 'text': \"it's\"}]", "it's"),
        (r"[{'type': 'text', 'text': 'it\'s \"so\"'}]", 'it\'s "so"'),
        (r'''"[{'type': 'text', 'text': 'it\'s'}]"''', "it's"),
        ('  [{"type": "text", "text": "None, True\\n"}]\n', "None, True\n"),
        ("[{'type': 'text', 'text': 'True'}, {'type': 'text', 'text': ' None'}]", "True None"),
        (r"[{'type': 'text', 'text': 'C:\dir \d+'}]", r"C:\dir \d+"),
        (json.dumps("[{'type': 'text', 'text': 'twice'}]"), "twice"),
        (repr("[{'type': 'text', 'text': \"it's\"}]"), "it's"),
    ],
)
def test_stringified_text_is_read_whatever_its_quotes(text: str, content: str) -> None:
    parsed = parse_stringified(text)
    assert parsed is not None
    assert parsed.content == content


def test_thinking_and_tool_use_become_reasoning_and_calls() -> None:
    blocks = [
        {"type": "thinking", "thinking": "First,", "signature": None},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "c1", "name": "ls", "input": {"path": "ä's", "all": True}},
        {"type": "thinking", "thinking": "then"},
    ]
    parsed = parse_stringified(str(blocks))
    assert parsed is not None
    assert (parsed.content, parsed.reasoning) == ("Looking.", "First,\n\nthen")
    arguments = '{"path":"ä\'s","all":true}'
    function = {"name": "ls", "arguments": arguments}
    assert parsed.tool_calls == [{"id": "c1", "type": "function", "function": function}]
    assert read_blocks(blocks) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[1, 2]",
        '"[1, 2]"',
        "[{}]",
        "[{'type': 'text'}]",
        "[{'type': 'text', 'text': 1}]",
        "[{'type': 'image', 'url': 'x'}]",
        "[{'type': 'text', 'text': 'a'}, 1]",
        "[{'type': 'text', 'text': 'a'}] and more",
        "[{'type': 'text', 'text': __import__('os').getcwd()}]",
        "[{'type': 'tool_use', 'name': 'ls', 'input': {(1, 2): 3}}]",
        "[{'type': 'text', 'text': 'cut off",
        "[{'" + "[" * 100_000,
        "[{'a': " + "-" * 40_000 + "1}]",
        "[{'a': " + "1+" * 20_000 + "1}]",
        '[{"a": ' * 50_000 + "1" + "}]" * 50_000,
        "[{'a': " * 50_000 + "1" + "}]" * 50_000,
        "[{'" + "\\'" * 500_000 + "}]",
        "[x for x in [{'type': 'text', 'text': 'a'}]]",
        "'\ud800[{'",
    ],
)
def test_an_answer_that_only_looks_like_blocks_stays_an_answer(text: str) -> None:
    assert parse_stringified(text) is None


def test_a_literal_too_long_to_read_in_time_stays_as_it_is() -> None:
    numbers = "[{'type': 'tool_use', 'name': 'a', 'input': [%s]}]"
    assert parse_stringified(numbers % ("1, " * 10_000)) is not None
    assert parse_stringified(numbers % ("1, " * 20_000)) is None
    commas = "it, \\', [1, " * 100_000  # inside a string they cost nothing
    parsed = parse_stringified("[{'type': 'text', 'text': '" + commas + "'}]")
    assert parsed is not None
    assert parsed.content == "it, ', [1, " * 100_000
    assert parse_stringified("[{'type': 'text', 'text': '" + "x" * 2_000_000 + "'}]") is None


# Not every double quoting can be undone: where a text has backslashes of its own, quotes put
# around a repr read like a JSON string. Hence no backslashes in that one form.
any_text = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["it's", '"q"', "'''", "\\n", "\n", "[1, 2]", "[{'type': 'text', 'text': 'x'}]", "🚀", "None"]
)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
block = st.one_of(
    st.builds(lambda t: {"type": "text", "text": t}, any_text),
    st.builds(lambda t: {"type": "thinking", "thinking": t}, any_text),
    st.builds(lambda i: {"type": "tool_use", "id": "c", "name": "ls", "input": i}, json_like),
)


@given(st.lists(block, min_size=1, max_size=4))
def test_stringified_content_of_any_value_survives(blocks: list[Any]) -> None:
    expected = read_blocks(blocks)
    assert expected is not None
    forms = [str(blocks), json.dumps(blocks), json.dumps(blocks, ensure_ascii=False)]
    for form in forms:
        assert parse_stringified(form) == expected
        assert parse_stringified(json.dumps(form)) == expected
    assert json.loads(json.dumps(expected.tool_calls)) == expected.tool_calls


@given(st.lists(st.builds(lambda t: {"type": "text", "text": t}, any_text), min_size=1))
def test_quotes_put_around_a_repr_are_taken_off(blocks: list[Any]) -> None:
    form = str(blocks)
    if "\\" not in form:
        assert parse_stringified(f'"{form}"') == read_blocks(blocks)


@given(any_text | st.text(alphabet="[]{}'\"\\,: typetx\n", max_size=60))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    parse_stringified(text)
    parse_stringified(f'"{text}"')
    parse_stringified(f"[{{'type': 'text', 'text': '{text}'}}]")


UNCLEAN = ["\ud83d", "a\x00b", "\ude00\ud83d", "\udfff", "\x00"]


@pytest.mark.parametrize("text", UNCLEAN)
@pytest.mark.parametrize("form", [ascii, json.dumps, lambda blocks: json.dumps(ascii(blocks))])
def test_escapes_of_what_no_database_holds_become_replacements(form: Any, text: str) -> None:
    blocks = [
        {"type": "text", "text": text},
        {"type": "thinking", "thinking": text},
        {"type": "tool_use", "id": text, "name": text, "input": {text: text}},
    ]
    parsed = parse_stringified(form(blocks))
    assert parsed is not None
    assert parsed.content == parsed.reasoning == clean_text(text)
    (call,) = parsed.tool_calls
    assert call["id"] == call["function"]["name"] == clean_text(text)
    told = json.dumps([parsed.content, parsed.reasoning, call], ensure_ascii=False)
    assert "\x00" not in told
    told.encode()  # no half of a character


def test_the_text_of_an_input_is_found_in_each_of_its_shapes() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    blocks = [{"type": "text", "text": "What is"}, image, {"type": "input_text", "text": "this?"}]
    assert input_text("plain") == "plain"
    assert input_text(blocks) == "What is\n[image]\nthis?"
    assert input_text(
        [{"role": "user", "content": "old"}, {"role": "user", "content": blocks}]
    ) == ("What is\n[image]\nthis?")
    nothings: list[Any] = [None, 7, {}, [], [None, 3, {"type": "text"}]]
    for nothing in nothings:
        assert input_text(nothing) == ""
    assert blocks_to_text([{"type": "tool_result", "content": [{"text": "a"}, 1]}]) == "a"


def test_nul_and_lone_surrogates_are_replaced_and_pairs_joined() -> None:
    assert clean_text("a\x00b") == f"a{REPLACEMENT}b"
    assert clean_text("\ud83dx\ude80") == f"{REPLACEMENT}x{REPLACEMENT}"
    assert clean_text("end\ud83d") == f"end{REPLACEMENT}"
    assert clean_text("\ud83d" + "\ude80") == "🚀"
    untouched = "ü🚀" * 10
    assert clean_text(untouched) is untouched


@given(st.text())
def test_cleaned_text_can_be_stored_and_is_otherwise_the_same(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert "\x00" not in cleaned
    assert clean_text(cleaned) == cleaned


def test_cleaned_json_can_be_written_by_any_writer() -> None:
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = {"a": deep}
    value = {"k\x00": ["\ud800", math.nan, 10**30, 10**400, 7, True, None], "deep": deep}
    cleaned = clean_json(value)
    assert cleaned["k" + REPLACEMENT] == [REPLACEMENT, None, 1e30, None, 7, True, None]
    json.dumps(cleaned, allow_nan=False).encode("utf-8")
    levels, inner = 0, cleaned["deep"]
    while isinstance(inner, dict):
        levels, inner = levels + 1, inner["a"]
    assert (levels, inner) == (NESTING_LIMIT - 1, REPLACEMENT)
