"""What is still to be shown of a transcript (R5)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.transcript import Transcript
from worker.transcript.tail import output_tail, tail

CALL = {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
STORED: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]},
    {"role": "tool", "content": "a b", "tool_call_id": "c1"},
    {"role": "assistant", "content": "Two files."},
]
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("message.delta", {"delta": "Let me look."}),
    ("tool.started", {"tool": "ls", "tool_call_id": "c1"}),
    ("tool.completed", {"tool": "ls", "error": False, "output": "a b", "tool_call_id": "c1"}),
    ("message.delta", {"delta": "Two files."}),
]


def folded(events: list[tuple[str, dict[str, Any]]]) -> Transcript:
    transcript = Transcript("run_1", "s")
    for name, payload in events:
        transcript.apply({"event": name, **payload})
    return transcript


def test_all_of_it_is_shown_to_somebody_who_has_seen_nothing() -> None:
    assert tail([], STORED).events == EVENTS


def test_nothing_is_shown_twice() -> None:
    found = tail(folded(EVENTS).messages(), STORED)
    assert (found.events, found.diverged) == ([], False)


@given(st.integers(0, len(EVENTS)), st.integers(0, 12))
def test_whatever_was_seen_and_the_tail_make_the_whole(count: int, cut: int) -> None:
    seen = EVENTS[:count]
    if seen and seen[-1][0] == "message.delta":
        seen = [*seen[:-1], ("message.delta", {"delta": seen[-1][1]["delta"][: cut or 1]})]
    shown = folded(seen)
    found = tail(shown.messages(), STORED)
    assert not found.diverged
    for name, payload in found.events:
        shown.apply({"event": name, **payload})
    result = [(m["role"], m["content"]) for m in shown.messages()]
    assert result == [("assistant", "Let me look."), ("tool", "a b"), ("assistant", "Two files.")]


def test_a_line_break_before_a_text_that_follows_a_tool_makes_no_difference() -> None:
    seen = [*EVENTS[:3], ("message.delta", {"delta": "\n\nTwo"})]
    assert tail(folded(seen).messages(), STORED).events == [("message.delta", {"delta": " files."})]


def test_another_text_than_the_one_shown_cannot_be_continued() -> None:
    shown = folded([("message.delta", {"delta": "Something else"})])
    found = tail(shown.messages(), STORED)
    assert (found.events, found.diverged) == ([], True)


LINES = [
    "Operation interrupted.",
    "Operation interrupted: waiting for model response (0.1s elapsed).",
    "\n Operation interrupted: waiting for model response (12.5s elapsed). ",
    "Operation interrupted: handling API error (Timeout: (a) b).",
    "Operation interrupted: retrying API call after error (retry 1/3).",
    "Operation interrupted during retry (rate limit, attempt 2/3).",
]
ANSWERS = [
    "Operation interrupted",
    "Operation interrupted. That is what the log says, three times.",
    "Operation interrupted: waiting for the model",
    "Operation interrupted by user means that somebody pressed Ctrl+C.",
    "Operation interrupted: retrying API call after error (retry 1/3). So wait.",
    "It says: Operation interrupted.",
]


@pytest.mark.parametrize("line", LINES)
def test_the_lines_that_a_stopped_gateway_writes_are_not_shown(line: str) -> None:
    stored = [{"role": "assistant", "content": line}]
    assert tail([], stored, stopped=True).events == []
    assert tail([], stored).events == [("message.delta", {"delta": line})]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("stopped", [True, False])
def test_an_answer_about_an_interruption_is_an_answer(answer: str, *, stopped: bool) -> None:
    stored = [{"role": "assistant", "content": answer}]
    assert tail([], stored, stopped=stopped).events == [("message.delta", {"delta": answer})]


def test_a_call_without_text_is_shown_as_a_call() -> None:
    stored = [{"role": "assistant", "content": "", "tool_calls": [CALL]}]
    assert tail([], stored).events == [("tool.started", {"tool": "ls", "tool_call_id": "c1"})]


def test_a_giant_tail_comes_in_pieces() -> None:
    stored = [
        {"role": "assistant", "content": "g" * 1_000_000},
        {"role": "tool", "content": "o" * 1_000_000},
    ]
    events = tail([], stored).events
    assert "".join(payload["delta"] for name, payload in events[:-1]) == "g" * 1_000_000
    assert max(len(payload["delta"]) for _, payload in events[:-1]) < 100_000
    assert (len(events[-1][1]["output"]) < 100_000, events[-1][1]["truncated"]) == (True, True)


@pytest.mark.parametrize(
    ("shown", "output", "rest"),
    [
        ([("assistant", "Hello ")], "Hello world.", "world."),
        ([("assistant", "Hello")], "Hello", ""),
        ([("assistant", "Let me look.")], "Found it.", "\n\nFound it."),
        ([("assistant", "Let me look. Found it.")], " Found  it.\n", ""),
        ([("assistant", "Yes, I look.")], "Yes", "\n\nYes"),
        ([("assistant", "a\nb")], " a b c", " c"),
        ([("assistant", "Hello")], " ", ""),
        ([("assistant", "Look"), ("tool", "x")], "Found it.", "Found it."),
        ([("tool", "x"), ("assistant", "\n\nFound")], "Found it.", " it."),
        ([], "Hello", ""),
    ],
)
def test_without_a_transcript_the_output_continues_the_open_text(
    shown: list[tuple[str, str]], output: str, rest: str
) -> None:
    messages = [{"role": role, "content": content} for role, content in shown]
    events = output_tail(messages, output).events
    assert "".join(payload["delta"] for _, payload in events) == rest


@given(st.text("ab \n", min_size=1), st.text("ab \n"))
def test_the_output_is_at_the_end_of_what_is_shown_then(seen: str, output: str) -> None:
    messages = [{"role": "assistant", "content": seen}]
    added = "".join(payload["delta"] for _, payload in output_tail(messages, output).events)
    assert "".join((seen + added).split()).endswith("".join(output.split()))
