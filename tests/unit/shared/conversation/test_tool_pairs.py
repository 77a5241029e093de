"""Strict models refuse a call without its result, and a result without its call (C14)."""

from __future__ import annotations

import copy
import json
import re
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.history import build
from shared.conversation.tool_pairs import NO_RESULT

Strict = Literal["openai", "anthropic"]
Message = dict[str, Any]


def call(call_id: str, name: str = "ls", arguments: str = "{}") -> Message:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def assistant(content: str, *calls: Message) -> Message:
    return {"role": "assistant", "content": content, "tool_calls": list(calls) or None}


def tool(content: str, call_id: str | None, name: str = "ls") -> Message:
    return {"role": "tool", "content": content, "tool_name": name, "tool_call_id": call_id}


def user(content: Any, blocks: Any = None) -> Message:
    return {"role": "user", "content": content, "content_blocks": blocks}


def faults(history: list[Message], form: Strict) -> list[str]:
    """What a strict model complains of."""
    found, seen = [], set()
    for at, message in enumerate(history):
        calls, results = ids(message, form)
        before = ids(history[at - 1], form)[0] if at else []
        if form == "openai" and results:
            while at and history[at - 1]["role"] == "tool":
                at -= 1
            before = ids(history[at - 1], form)[0] if at else []
        found += [f"result {r} has no call right before it" for r in results if r not in before]
        found += [f"call {c} comes twice" for c in calls if c in seen]
        found += [f"call {c} has an unfit id" for c in calls if not FIT_ID.fullmatch(c)]
        found += [f"function {f} is unfit" for f in functions(message, form) if not is_fit(f)]
        found += ["a blank block" for block in texts(message) if not block.strip()]
        seen.update(calls)
        following = answered_after(history, at, form) if calls else []
        if sorted(following) != sorted(calls):
            found.append(f"calls {calls} are answered by {following}")
    return found


FIT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
FIT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_fit(function: tuple[str, Any]) -> bool:
    name, arguments = function
    return FIT_NAME.fullmatch(name) is not None and isinstance(arguments, dict)


def functions(message: Message, form: Strict) -> list[tuple[str, Any]]:
    """The names and the parsed arguments of the calls of an entry."""
    if form == "openai":
        made = [c["function"] for c in message.get("tool_calls") or []]
        return [(f["name"], json.loads(f["arguments"])) for f in made]
    blocks = message["content"] if isinstance(message["content"], list) else []
    return [(b["name"], b["input"]) for b in blocks if b.get("type") == "tool_use"]


def texts(message: Message) -> list[str]:
    blocks = message["content"] if isinstance(message["content"], list) else []
    return [b["text"] for b in blocks if b.get("type") == "text"]


def ids(message: Message, form: Strict) -> tuple[list[str], list[str]]:
    """The ids of the calls and of the results of an entry."""
    if form == "openai":
        calls = [c["id"] for c in message.get("tool_calls") or []]
        return calls, [message["tool_call_id"]] if message["role"] == "tool" else []
    blocks = message["content"] if isinstance(message["content"], list) else []
    of = {
        kind: [b for b in blocks if b.get("type") == kind] for kind in ("tool_use", "tool_result")
    }
    return [b["id"] for b in of["tool_use"]], [b["tool_use_id"] for b in of["tool_result"]]


def answered_after(history: list[Message], at: int, form: Strict) -> list[str]:
    if form == "anthropic":
        return ids(history[at + 1], form)[1] if at + 1 < len(history) else []
    results = []
    for message in history[at + 1 :]:
        if message["role"] != "tool":
            break
        results.append(message["tool_call_id"])
    return results


ODD_IDS = ["call|fc_1", "call fc 1", "é", "x" * 90, "x" * 91, "c1_2", "0", "null"]
_texts = st.sampled_from(["", "x", "some text", " \n"])
_ids = st.sampled_from(["c1", "c2", "c3", None, *ODD_IDS])
_names = st.sampled_from(["ls", "mcp.server/tool", "a b", "n" * 99])
_arguments = st.sampled_from(["", "{}", '{"a": 1}', '{"a": ', "[1]", "null", '"x"', "7", "NaN"])
_calls = st.lists(
    st.builds(call, st.sampled_from(["c1", "c2", "c3", *ODD_IDS]), _names, _arguments), max_size=3
)
_blocks = st.lists(
    st.sampled_from(
        [
            {"type": "text", "text": ""},
            {"type": "text", "text": "block"},
            {"type": "image", "source": {}},
            {"type": "tool_use", "id": "c1", "name": "rm", "input": {}},
            {"type": "tool_result", "tool_use_id": "c1", "content": " "},
        ]
    ),
    max_size=3,
)
_messages = st.one_of(
    st.builds(user, _texts),
    st.builds(user, _texts, _blocks),
    st.builds(lambda text, calls: assistant(text, *calls), _texts, _calls),
    st.builds(tool, _texts, _ids),
)


@pytest.mark.parametrize("form", ["openai", "anthropic"])
@given(messages=st.lists(_messages, max_size=12))
def test_whatever_is_stored_each_call_is_answered_and_each_result_has_a_call(
    form: Strict, messages: list[Message]
) -> None:
    before = copy.deepcopy(messages)
    history = build(messages, form)
    assert faults(history, form) == []
    for entry in history:
        assert entry["content"] or entry.get("tool_calls") or entry["role"] == "tool"
    assert messages == before


@pytest.mark.parametrize("form", ["openai", "anthropic"])
@given(messages=st.lists(_messages, max_size=12))
def test_no_text_is_lost(form: Strict, messages: list[Message]) -> None:
    numbered = [
        {**m, "content": f"text <{n}>"}
        for n, m in enumerate(messages)
        if not m.get("content_blocks")
    ]
    sent = str(build(numbered, form))
    for message in numbered:
        if message["role"] != "tool" or message["tool_call_id"]:
            assert message["content"] in sent


STOPPED = [user("Look."), assistant("Looking.", call("c1"), call("c2")), tool("x.py", "c1")]


def test_after_a_stop_during_a_tool_the_open_call_is_answered() -> None:
    history = build([*STOPPED, user("go on")], "openai")
    assert [(m["role"], m.get("tool_call_id")) for m in history] == [
        ("user", None),
        ("assistant", None),
        ("tool", "c1"),
        ("tool", "c2"),
        ("user", None),
    ]
    assert history[3] == {
        "role": "tool",
        "content": NO_RESULT,
        "tool_call_id": "c2",
        "name": "ls",
    }


def test_in_blocks_too() -> None:
    history = build([*STOPPED, user("go on")], "anthropic")
    assert history[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "x.py"},
        {"type": "tool_result", "tool_use_id": "c2", "content": NO_RESULT},
    ]


def test_a_result_of_which_only_the_stream_is_known_is_text_of_its_answer() -> None:
    streamed = [user("a"), assistant("Looking."), tool("x.py", "c1"), assistant("It is x.py.")]
    assert build(streamed, "openai")[1:] == [
        {"role": "assistant", "content": "Looking.\n\n[Tool result: ls]\nx.py"},
        {"role": "assistant", "content": "It is x.py."},
    ]
    assert build([user("a"), assistant("L."), tool("", "c1")], "openai")[1:] == [
        {"role": "assistant", "content": "L."}
    ]


def test_blocks_of_a_user_that_look_like_results_are_text() -> None:
    blocks = [
        {"type": "text", "text": "see"},
        {"type": "tool_result", "tool_use_id": "c9", "content": "mine"},
        {"type": "tool_use", "id": "c8", "name": "rm", "input": {}},
    ]
    for form in ("openai", "anthropic"):
        (entry,) = build([user("see\nmine", blocks)], form)
        assert entry["content"] == [
            {"type": "text", "text": "see"},
            {"type": "text", "text": "mine"},
        ]
