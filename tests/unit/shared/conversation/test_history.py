"""What a gateway is sent as history, in each format."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.conversation.history import (
    TEXT_RESULT_LIMIT,
    Format,
    build,
    flatten,
    sanitize,
    to_anthropic,
    workspace_instructions,
)
from tests.unit.shared.conversation.golden_cases import CASES

FORMATS: tuple[Format, ...] = ("anthropic", "openai", "text")


def call(call_id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, "index": 0}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"id": 1, "role": "user", "content": content, "timestamp": 1.0, **more}


def assistant(content: Any, *calls: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls) or None, **more}


def tool(content: Any, name: str, call_id: str | None = None) -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_name": name, "tool_call_id": call_id}


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_conversion_to_blocks_equals_the_recorded_one(case: dict[str, Any]) -> None:
    assert to_anthropic(case["messages"]) == case["anthropic"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_flattening_with_the_recorded_limits_equals_the_recorded_one(case: dict[str, Any]) -> None:
    assert flatten(case["messages"], 1_000, 500) == case["summary_history"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("form", FORMATS)
def test_every_entry_has_a_role_and_content_and_none_is_empty(
    case: dict[str, Any], form: Format
) -> None:
    for entry in build(case["messages"], form):
        assert entry["role"] in ("user", "assistant", "tool")
        assert entry["content"] or entry.get("tool_calls") or entry["role"] == "tool"
        if form == "text":
            assert isinstance(entry["content"], str)


TURN = [
    user("Look."),
    assistant("Looking.", call("c1", "ls", '{"a": 1}'), reasoning="hm", reasoning_content="rc"),
    tool("x.py", "ls", "c1"),
    assistant("It is x.py."),
]


def test_a_turn_in_the_openai_format() -> None:
    function = {"name": "ls", "arguments": '{"a": 1}'}
    assert build(TURN, "openai") == [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            "reasoning_content": "rc",
        },
        {"role": "tool", "content": "x.py", "tool_call_id": "c1", "name": "ls"},
        {"role": "assistant", "content": "It is x.py."},
    ]


def test_a_turn_in_the_anthropic_format_carries_no_reasoning() -> None:
    assert build(TURN, "anthropic")[1]["content"] == [
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "c1", "name": "ls", "input": {"a": 1}},
    ]


@pytest.mark.parametrize("arguments", ["", "not json", "NaN", "[" * 100_000])
def test_arguments_that_are_no_json_become_an_empty_input(arguments: str) -> None:
    converted = build([assistant("", call("c1", "ls", arguments))], "anthropic")
    assert converted[0]["content"][0]["input"] == {}


@pytest.mark.parametrize(
    ("arguments", "value"), [("[1]", [1]), ("5", 5), ('"x"', "x"), ("null", None), ("[]", [])]
)
def test_arguments_that_are_no_object_are_put_into_one(arguments: str, value: Any) -> None:
    converted = build([assistant("", call("c1", "ls", arguments))], "anthropic")
    assert converted[0]["content"][0]["input"] == {"value": value}


@pytest.mark.parametrize(
    "arguments",
    [
        r'{"a": "\ud83d"}',
        r'{"\u0000": 1}',
        '{"a": 1e999}',
        '{"a": 123456789012345678901234567890}',
        '{"a": ' + "[" * 300 + "]" * 300 + "}",
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_arguments_of_any_value_can_be_sent(format: Format, arguments: str) -> None:  # noqa: A002
    turn = [user("x"), assistant("", call("c1", "ls", arguments)), tool("a", "ls", "c1")]
    orjson.dumps(build(turn, format))


def test_a_turn_in_the_text_format_is_readable() -> None:
    assert build(TURN, "text") == [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": 'Looking.\n\n[Calling tool: ls with arguments: {"a": 1}]\n\n'
            "[Tool result: ls]\nx.py",
        },
        {"role": "assistant", "content": "It is x.py."},
    ]


def test_text_never_shows_the_repr_of_blocks() -> None:
    stored = "[{'type': 'text', 'text': \"it's\"}]"
    blocks = [{"type": "text", "text": "see"}, {"type": "image", "source": {}}]
    history = build([user("", content_blocks=blocks), assistant(stored), user(blocks)], "text")
    assert [entry["content"] for entry in history] == ["see\n[image]", "it's", "see\n[image]"]


def test_blocks_of_a_user_are_passed_on_where_the_format_has_them() -> None:
    blocks = [{"type": "text", "text": "see"}]
    message = user("see", content_blocks=blocks)
    for form in ("openai", "anthropic"):
        assert build([message], form) == [{"role": "user", "content": blocks}]


def test_a_long_result_is_cut_in_the_text_format() -> None:
    messages = [user("a"), assistant("", call("c1", "cat")), tool("x" * 100_000, "cat", "c1")]
    assert len(build(messages, "text")[1]["content"]) < TEXT_RESULT_LIMIT + 100


def test_a_missing_call_id_is_taken_from_the_last_assistants_call_of_that_tool_once() -> None:
    messages = [
        assistant("", call("c1", "ls"), call("c2", "cat"), call("c3", "ls"), call("", "ls")),
        tool("first", "ls"),
        tool("named", "ls", "c3"),
        tool("second", "cat", ""),
        tool("too many", "ls"),
        tool("unknown", "rm"),
        assistant("later"),
        tool("orphan", "cat"),
    ]
    results = [(m["content"], m["tool_call_id"]) for m in sanitize(messages) if m["role"] == "tool"]
    assert results == [("first", "c1"), ("named", "c3"), ("second", "c2")]


def test_empties_are_left_out_but_calls_and_empty_results_stay() -> None:
    messages = [
        user(" \n"),
        assistant(None),
        assistant("", reasoning="only thought"),
        assistant("", call("", "ls"), {"id": "x"}, "junk"),
        {"role": "system", "content": "no"},
        assistant(None, call("c1", "ls")),
        tool(None, "ls", "c1"),
    ]
    assert [(m["role"], m["content"]) for m in sanitize(messages)] == [
        ("assistant", ""),
        ("tool", ""),
    ]
    assert build(messages, "anthropic")[1]["content"][0]["content"] == "(no output)"


def test_the_input_is_not_changed() -> None:
    blocks: list[Any] = [{"type": "tool_result", "tool_use_id": "c0", "content": "own"}]
    messages = [user("", content_blocks=blocks), tool("more", "ls", "c1")]
    build(messages, "anthropic")
    assert len(blocks) == 1


def test_a_workspace_comes_before_the_instructions() -> None:
    line = "[Current working directory: /a b]"
    assert workspace_instructions("/a\nb", "Be brief.") == f"{line}\nBe brief."
    assert workspace_instructions("/a\nb", None) == line
    assert workspace_instructions(None, "Be brief.") == "Be brief."
    assert workspace_instructions("", "") is None
