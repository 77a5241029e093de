"""The fold of events into messages, and of state events, by example and by property."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.state_events import STATE_EVENTS, StateEvents
from shared.protocol.transcript import Transcript

Event = dict[str, Any]


def event(kind: str, /, **fields: Any) -> Event:
    return {"event": kind, "run_id": "r1", "session_id": "s1", "timestamp": 100, **fields}


def fold(*events: Event) -> Transcript:
    transcript = Transcript()
    for each in events:
        transcript.apply(each)
    return transcript


def brief(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [(m["role"], m["content"], m.get("finish_reason")) for m in transcript.messages()]


def test_deltas_join_one_answer_that_the_end_closes() -> None:
    messages = fold(
        event("run.started"),
        event("reasoning.delta", text="hm"),
        event("thinking.delta", delta="m."),
        event("message.delta", delta="Hel"),
        event("message.delta", delta="lo", timestamp=101),
        event("run.completed", output="Hello"),
    ).messages()
    assert messages == [
        {
            "id": "r1:1",
            "session_id": "s1",
            "role": "assistant",
            "content": "Hello",
            "reasoning": "hmm.",
            "timestamp": 100,
            "finish_reason": "stop",
            "reasoning_duration": 0.0,
        }
    ]


def test_text_around_tools_stays_in_order_and_apart() -> None:
    transcript = fold(
        event("message.delta", delta="Let me look."),
        event("tool.started", tool="ls", preview="ls -l"),
        event("tool.completed", tool="ls", output={"files": ["ä"]}, duration=0.5, error=False),
        event("message.delta", delta="Found it."),
        event("run.completed", finish_reason="length"),
    )
    assert brief(transcript) == [
        ("assistant", "Let me look.", "tool_calls"),
        ("tool", '{"files": ["ä"]}', None),
        ("assistant", "Found it.", "length"),
    ]
    tool = transcript.messages()[1]
    assert (tool["tool_name"], tool["error"], tool["duration"]) == ("ls", False, 0.5)
    assert transcript.segments() == ["Let me look.", "Found it."]


def test_reasoning_takes_until_the_text_a_tool_or_the_end() -> None:
    transcript = fold(
        event("reasoning.delta", text="a", timestamp=100),
        event("reasoning.delta", text="b", timestamp=101),
        event("message.delta", delta="Let me look.", timestamp=103.5),
        event("reasoning.delta", text="c", timestamp=110),
        event("tool.started", tool="ls", timestamp=111),
        event("reasoning.delta", text="d", timestamp=112),
        event("tool.started", tool="ls", timestamp=114),
        event("message.delta", delta="Both.", timestamp=115),
        event("tool.started", tool="ls", timestamp=116),
        event("thinking.delta", text="e", timestamp=120),
        event("run.completed", output="", timestamp=121),
    )
    answers = [m for m in transcript.messages() if m["role"] == "assistant"]
    assert [m.get("reasoning_duration") for m in answers] == [3.5, 2, None, 1]
    backwards = fold(
        event("reasoning.delta", text="a", timestamp=100),
        event("run.completed", output="42", timestamp=90),
    )
    assert backwards.messages()[0]["reasoning_duration"] == 0


def test_the_output_is_taken_only_if_no_text_was_streamed() -> None:
    silent = fold(event("reasoning.delta", text="so"), event("run.completed", output="42"))
    assert brief(silent) == [("assistant", "42", "stop")]
    assert silent.messages()[0]["reasoning"] == "so"
    after_tool = fold(event("tool.started", tool="ls"), event("run.completed", output="42"))
    assert brief(after_tool) == [("tool", "", None), ("assistant", "42", "stop")]
    said = [event("message.delta", delta=delta) for delta in ("4", "3", " ")]
    spoken = fold(*said[:2], event("run.completed", output="42"))
    assert fold(*said, event("run.completed", output="42")).segments() == ["43 "]
    assert brief(spoken) == [("assistant", "43", "stop")]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (event("run.failed", error="x", finish_reason="stop"), "error"),
        (event("run.cancelled"), "aborted"),
        (event("run.completed", finish_reason="aborted", status="aborted"), "aborted"),
        (event("run.completed", status="aborted"), "aborted"),
    ],
)
def test_kept_partial_text_says_why_it_ended(end: Event, reason: str) -> None:
    assert brief(fold(event("message.delta", delta="par"), end)) == [("assistant", "par", reason)]


def test_nothing_changes_after_the_end() -> None:
    ended = fold(event("message.delta", delta="a"), event("run.completed"))
    before = ended.messages()
    ended.apply(event("message.delta", delta="b"))
    ended.apply(event("tool.started", tool="ls"))
    assert ended.messages() == before
    assert ended.ended


def test_a_result_goes_to_its_call_id_else_to_the_oldest_open_call_of_that_name() -> None:
    transcript = fold(
        event("tool.started", tool="ls"),
        event("tool.started", name="ls"),
        event("tool.started", tool="cat", tool_call_id="c1"),
        event("tool.started", tool="cat", tool_call_id="c2"),
        event("tool.completed", tool="cat", tool_call_id="c2", output="second cat", error=True),
        event("tool.completed", tool="ls", output="first ls"),
        event("tool.completed", tool="cat", tool_call_id="unknown", output="nobody's"),
    )
    assert [m["content"] for m in transcript.messages()] == ["first ls", "", "", "second cat"]
    assert transcript.messages()[3]["error"] is True
    assert [m["id"] for m in transcript.open_tool_calls()] == ["r1:2", "r1:3"]


def test_an_empty_result_is_a_result() -> None:
    transcript = fold(
        event("tool.started", tool="ls"),
        event("tool.started", tool="ls"),
        event("tool.completed", tool="ls", output=""),
        event("tool.completed", tool="ls", output="two"),
    )
    assert [m["content"] for m in transcript.messages()] == ["", "two"]


def test_the_answer_repeated_as_available_reasoning_is_not_reasoning() -> None:
    transcript = fold(event("message.delta", delta="Hi"), event("reasoning.available", text="Hi"))
    assert transcript.messages()[0]["reasoning"] == ""


def test_blank_text_is_kept_to_the_byte_but_does_not_hide_the_output() -> None:
    assert fold(event("message.delta", delta="\n")).messages()[0]["content"] == "\n"
    ended = fold(event("message.delta", delta="\n"), event("run.completed", output="42"))
    assert brief(ended) == [("assistant", "42", "stop")]


def test_output_nested_beyond_the_stack_does_not_raise() -> None:
    deep: Any = "x"
    for _ in range(200_000):
        deep = [deep]
    transcript = fold(
        event("tool.started", tool="ls"), event("tool.completed", tool="ls", output=deep)
    )
    assert transcript.messages()[0]["content"] == ""
    while isinstance(deep, list):  # unwound by hand: freeing it at once recurses in C
        deep = deep.pop()


def test_a_delta_costs_the_same_however_long_the_answer_is() -> None:
    transcript, delta = Transcript("r1"), event("message.delta", delta="token ")

    def seconds_for(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            transcript.apply(delta)
        return time.perf_counter() - began

    first = seconds_for(20_000)
    seconds_for(200_000)
    assert seconds_for(20_000) < 20 * first + 0.05


# -- properties ---------------------------------------------------------------------------------

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
FOLDED = ("message.delta", "reasoning.delta", "thinking.delta", "tool.started", "tool.completed")
ENDS = ("run.completed", "run.failed", "run.cancelled")
names = st.sampled_from([*FOLDED, *ENDS, "reasoning.available", *sorted(STATE_EVENTS)])
TEXT_FIELDS = ("delta", "text", "tool", "name", "tool_call_id", "status", "finish_reason")
OTHER_FIELDS = ("output", "error", "duration", "timestamp", "run_id", "session_id", "seq")
field_names = st.sampled_from([*TEXT_FIELDS, *OTHER_FIELDS, "approval_id"])
wild_events = st.builds(
    lambda name, fields: {**fields, "event": name},
    names | json_like,
    st.dictionaries(field_names, json_like, max_size=5),
)

words = st.sampled_from(["", " ", "\n", "a", "it's", "ü", "[1, 2]"])
tools = st.sampled_from(["ls", "cat"])
call_ids = st.sampled_from([None, "c1", "c2"])
tame_events = st.one_of(
    st.builds(lambda text: event("message.delta", delta=text), words),
    st.builds(lambda text: event("reasoning.delta", text=text), words),
    st.builds(lambda text: event("thinking.delta", delta=text), words),
    st.builds(lambda t, i: event("tool.started", tool=t, tool_call_id=i), tools, call_ids),
    st.builds(
        lambda t, i, o: event("tool.completed", tool=t, tool_call_id=i, output=o),
        tools,
        call_ids,
        words,
    ),
)
ends = st.sampled_from(
    [[], [event("run.completed", output="out")], [event("run.failed", error="x")]]
)
runs = st.builds(lambda body, end: body + end, st.lists(tame_events, max_size=30), ends)


@given(st.lists(wild_events | json_like, max_size=20))
def test_no_input_makes_it_raise_or_leaves_an_empty_answer(events: list[Any]) -> None:
    transcript, state_events = Transcript(), StateEvents()
    for each in events:
        transcript.apply(each)
        state_events.apply(each)
        state_events.events()
        for message in transcript.messages():
            assert message["role"] != "assistant" or message["content"] or message["reasoning"]
            assert isinstance(message["content"], str)
    json.dumps([transcript.to_state(), state_events.to_state()])


@given(runs, st.data())
def test_how_deltas_were_merged_or_split_makes_no_difference(
    events: list[Event], data: st.DataObject
) -> None:
    assert fold(*_recut(events, data)).messages() == fold(*events).messages()


def _recut(events: list[Event], data: st.DataObject) -> list[Event]:
    """The same text in other pieces: each delta cut at random, then neighbours joined at random."""
    pieces: list[Event] = []
    for each in events:
        key = "delta" if each.get("delta") else "text"
        text = each.get(key)
        if not text:
            pieces.append(each)
            continue
        cut = data.draw(st.integers(0, len(text)))
        pieces += [{**each, key: text[:cut]}, {**each, key: text[cut:]}]
    joined: list[Event] = []
    for each in pieces:
        before = joined[-1] if joined else {}
        key = "delta" if "delta" in each else "text"
        same = key in each and key in before and before["event"] == each["event"]
        if same and data.draw(st.booleans()):
            joined[-1] = {**before, key: before[key] + each[key]}
        else:
            joined.append(each)
    return joined


@given(runs, st.data())
def test_a_checkpoint_anywhere_and_the_rest_equal_the_whole(
    events: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(events)))
    state = json.loads(json.dumps(fold(*events[:cut]).to_state()))
    resumed = Transcript.from_state(state)
    for each in events[cut:]:
        resumed.apply(each)
    whole = fold(*events)
    assert resumed.messages() == whole.messages()
    assert resumed.to_state() == whole.to_state()


def test_a_checkpoint_remembers_what_is_open_and_what_time_it_is() -> None:
    events: list[Event] = [
        event("tool.started", tool="ls"),
        event("tool.started", tool="ls"),
        event("tool.completed", tool="ls", output=""),
        event("tool.completed", tool="ls", output="two", timestamp=200),
        {"event": "message.delta", "delta": "no time of its own"},
        event("run.completed"),
        event("message.delta", delta="late"),
    ]
    for cut in range(len(events) + 1):
        resumed = Transcript.from_state(fold(*events[:cut]).to_state())
        for each in events[cut:]:
            resumed.apply(each)
        assert [m["content"] for m in resumed.messages()] == ["", "two", "no time of its own"]
        assert [m["timestamp"] for m in resumed.messages()] == [100, 100, 200]


# -- state events -------------------------------------------------------------------------------


def states(*events: Event) -> StateEvents:
    folded = StateEvents()
    for each in events:
        folded.apply(each)
    return folded


def test_the_latest_state_event_of_each_name_is_kept_until_the_end() -> None:
    folded = states(
        event("run.retrying", reason="429", delay=1),
        event("compression.started", message_count=9),
        event("message.delta", delta="no state"),
        event("run.retrying", reason="429", delay=2),
    )
    assert [(e["event"], e["data"].get("delay")) for e in folded.events()] == [
        ("compression.started", None),
        ("run.retrying", 2),
    ]
    folded.apply(event("run.completed"))
    assert folded.events() == []


def test_the_approval_that_can_be_answered_is_the_one_that_is_shown() -> None:
    folded = states(
        event("approval.request", seq=4, command="rm a"),
        event("approval.request", seq=7, command="rm b"),
    )
    assert [e["data"]["seq"] for e in folded.events()] == [4]
    folded.apply(event("approval.responded", seq=8, choice="once"))
    assert [a["seq"] for a in folded.open_approvals()] == [7]
    assert [e["data"]["seq"] for e in folded.events()] == [7, 8]
    folded.apply(event("approval.responded", seq=9, approval_id=7, choice="deny"))
    assert folded.open_approvals() == []


@given(st.lists(st.builds(event, st.sampled_from(sorted(STATE_EVENTS))), max_size=12), st.data())
def test_state_events_continue_from_a_checkpoint(events: list[Event], data: st.DataObject) -> None:
    events = [{**each, "seq": seq} for seq, each in enumerate(events, 1)]
    cut = data.draw(st.integers(0, len(events)))
    resumed = StateEvents.from_state(json.loads(json.dumps(states(*events[:cut]).to_state())))
    for each in events[cut:]:
        resumed.apply(each)
    assert resumed.to_state() == states(*events).to_state()
