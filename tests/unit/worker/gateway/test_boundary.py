"""Whatever a gateway sends becomes typed values that can be encoded and stored (CASES C1, C3, C10,
C25)."""

import json
import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.any_json import decode
from shared.event_log.keys import RunKeys
from shared.protocol.events import decode as decode_entry
from shared.protocol.events import encode
from tests.support.storable import check, check_row
from worker.event_log.run_log import RunLog
from worker.gateway import boundary, boundary_json, boundary_rows
from worker.gateway.boundary_json import COUNT_MOST, LEVELS, bounded
from worker.gateway.boundary_text import error_text, shown
from worker.gateway.delta_merge import merge_deltas
from worker.gateway.models import GatewayTranscript
from worker.gateway.stream.sse_parser import EventParser
from worker.gateway.translate_events import gateway_end, translate
from worker.transcript.reconcile import reconcile
from worker.transcript.tail import output_tail, tail

HALVES = st.sampled_from(["\ud83d", "\ude00", "\x00", "a\ud800b", "\ude00\ud83d"])
TEXTS = st.text(max_size=8) | HALVES
NUMBERS = (
    st.integers()
    | st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**4000, True, False, 0])
    | st.floats()
    | st.sampled_from([1e308, -0.0, math.inf, -math.inf, math.nan])
)


def deep(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


DEEP = st.sampled_from([30, 31, 32, 33, 40, 100, 300, 600]).map(deep)
VALUES = st.recursive(
    st.none() | NUMBERS | TEXTS | DEEP,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.sampled_from(["type", "text", "content"]), inner, max_size=3)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["text", "tool_use", "tool_result", "image", "x"]) | inner},
            optional={"text": inner, "content": inner, "input": inner, "name": inner},
        )
    ),
    max_leaves=6,
)


def with_fields(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these fields, and others, of any value."""
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES))
    return st.builds(lambda a, b: {**a, **b}, st.dictionaries(TEXTS, VALUES, max_size=2), known)


def as_sent(value: Any) -> bytes:
    return json.dumps(value).encode()


@given(VALUES)
def test_any_value_becomes_a_bounded_one(value: Any) -> None:
    check(bounded(value))
    read = decode(as_sent(value))
    check(bounded(read))
    check(shown(read))
    check(error_text(read))
    assert shown(read) or read in (None, "", [], {}) or isinstance(read, list | dict)


@given(st.binary(max_size=40) | VALUES.map(as_sent))
def test_reading_never_raises(data: bytes) -> None:
    found = boundary.answer(data)
    assert found is None or isinstance(found, dict)


SESSION = (
    *("id", "parent_session_id", "_lineage_root_id", "source", "end_reason", "model"),
    *("started_at", "ended_at", "last_active", "estimated_cost_usd", "actual_cost_usd"),
    *("billing_provider", "cost_status"),
    *boundary_rows.COUNTS,
)
CALLS = with_fields("id", "call_id", "tool_call_id", "name", "function", "arguments", "input")
MESSAGE = st.builds(
    lambda role, rest, calls: {**rest, **calls, **({"role": role} if role else {})},
    st.sampled_from(["user", "assistant", "tool", ""]),
    with_fields(
        "content", "tool_call_id", "tool_name", "finish_reason", "reasoning", "reasoning_content",
        "reasoning_details", "codex_reasoning_items", "timestamp", "role",
    ),
    st.fixed_dictionaries({}, optional={"tool_calls": st.lists(CALLS, max_size=2) | VALUES}),
)  # fmt: skip


def sent(value: Any) -> dict[str, Any]:
    found = boundary.answer(as_sent(value))
    assert isinstance(found, dict)
    return found


@given(with_fields(*SESSION))
def test_a_session_row_of_anything(row: dict[str, Any]) -> None:
    found = boundary_rows.session(sent(row), "eph")
    assert found is not None
    check(found)
    assert 0 < len(found["id"]) <= 255
    for name, value in found.items():
        if name in boundary_rows.COUNTS:
            assert value is None or (type(value) is int and 0 <= value <= COUNT_MOST)
        elif name.endswith(("_at", "_active", "_usd")):
            assert value is None or type(value) is float
        else:
            assert value is None or type(value) is str


@given(with_fields("status", "output", "usage", "error"))
def test_a_status_of_anything(answer: dict[str, Any]) -> None:
    found = boundary.run_status(sent(answer))
    check(found)
    assert type(found.status) is str
    assert found.output is None or type(found.output) is str
    assert found.error is None or type(found.error) is str
    for name in boundary_rows.COUNTS:
        value = (found.usage or {}).get(name, 0)
        assert type(value) is int
        assert 0 <= value <= COUNT_MOST


@given(
    with_fields("data", "session_id", "has_more"), st.lists(MESSAGE | VALUES, max_size=3), VALUES
)
def test_a_transcript_of_anything_is_reconciled(
    answer: dict[str, Any], rows: list[Any], session_id: Any
) -> None:
    check(boundary.session_page(sent(answer), 200) or [])
    told = sent({"data": rows, "session_id": session_id})
    found = boundary.transcript(told, "eph")
    assert found is not None
    assert 0 < len(found.session_id) <= 255
    check(found)
    seen = [{"role": "assistant", "content": "", "reasoning": "r", "timestamp": 1.0}]
    check(tail([], found.messages))
    mine = GatewayTranscript("eph", found.messages)
    for shown_before in ([], seen):
        for row in reconcile(shown_before, mine, "eph", "stop").rows:
            check_row(row)


@given(
    with_fields("pid", "active_agents", "readiness", "platform", "features", "run_id", "error"),
    VALUES,
)
def test_other_answers_of_anything(answer: dict[str, Any], runs: Any) -> None:
    inner = {"checks": {"background_queues": {"active_api_runs": runs}}}
    for found in (sent(answer), sent({**answer, "readiness": inner})):
        work = boundary.work(found)
        check(work)
        assert work.pid is None or 0 < work.pid < 2**31
        check(boundary.platform(found))
        check(boundary.run_id(found))
        check(boundary.error_of(found))
        offers = boundary.capabilities(found)
        assert {type(one) for one in (offers.replays, offers.repeats, offers.steers)} == {bool}


NAMES = st.sampled_from(
    [
        *("message.delta", "reasoning.delta", "thinking.delta", "tool.started", "tool.completed"),
        *("subagent.progress", "approval.request", "run.completed", "run.failed", "run.cancelled"),
    ]
)
EVENTS = st.builds(
    lambda name, rest: {**rest, "event": name},
    NAMES | VALUES,
    with_fields(
        "delta", "text", "timestamp", "run_id", "tool", "output", "error", "duration", "usage",
        "finish_reason", "preview", "tool_call_id", "choices", "data",
    ),
)  # fmt: skip


@given(st.lists(EVENTS, max_size=6), st.integers(1, 200))
def test_any_event_is_dropped_or_can_be_logged_and_folded(
    events: list[dict[str, Any]], size: int
) -> None:
    body = b"".join(b"data: " + as_sent(event) + b"\n\n" for event in events)
    parser, log = (
        EventParser(10**7),
        RunLog(RunKeys("t", "run_1"), fence=1, epoch=1, head=0, session_id="s"),
    )
    added = 0
    for at in range(0, len(body), size * 50):
        for event in merge_deltas(parser.feed(body[at : at + size * 50])):
            end = gateway_end(event)
            if end is not None:
                check(end)
                check(output_tail(log.transcript.messages(), end.output or ""))
                continue
            for name, payload in translate(event, 65_536):
                check(payload)
                assert len(encode(name, payload)) < 400_000
                log.add(name, payload)
                added += 1
    while (batch := log.freeze()) is not None:
        assert all(decode_entry(entry) for entry in batch.entries)
        log.acknowledge()
    assert not log.broke_off  # nothing was dropped because it could not be encoded
    log.fold()
    for message in log.transcript.messages():
        check(message)


# -- depth and size --------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [33, 254, 300, 600, 1000, 3000, 100_000])
def test_nesting_of_any_depth_is_limited_or_left_out(levels: int) -> None:
    frame = b'data: {"event": "subagent.progress", "data": ' + b"[" * levels + b"]" * levels
    events = EventParser(10**7).feed(frame + b"}\n\n")
    told = [payload for event in events for _, payload in translate(event, 65_536)]
    for payload in told:
        check(payload)
    assert told
    found = boundary.answer(frame.removeprefix(b"data: ") + b"}")
    check(bounded(found))


def test_what_lies_deeper_is_shown_as_json_cut_short() -> None:
    found = bounded(deep(LEVELS))
    assert found == deep(LEVELS)
    value: Any = bounded([deep(600)])
    while not isinstance(value, str):
        value = value[0] if isinstance(value, list) else value["k"]
    assert value.startswith(("[", "{"))
    assert len(value) <= boundary_json.DEEP_MOST


def test_a_value_of_very_many_parts_is_json_cut_short_and_takes_no_time() -> None:
    found = bounded({"a": [[]] * 3_000_000})
    assert isinstance(found, str)
    assert found.endswith("…")
    assert len(found) <= boundary_json.DEEP_MOST


@pytest.mark.parametrize(
    "event",
    [
        {f"k{n}": "x" * 1000 for n in range(5000)},
        {"k" * 100_000: 1},
        {"output": "x" * 10**6, "args": ["y" * 10**6]},
        {"event": "e" * 1000},
    ],
)
def test_an_event_of_any_kind_stays_small(event: dict[str, Any]) -> None:
    for name, payload in translate({"event": "plan.updated", **event}, 65_536):
        assert len(encode(name, payload)) < 2 * 65_536


def test_an_integer_of_thousands_of_digits_spoils_nothing_beside_it() -> None:
    row = b'{"role": "assistant", "content": "kept", "timestamp": ' + b"9" * 10_000 + b"}"
    found = boundary.answer(b'{"data": [' + row + b"]}")
    assert found is not None
    transcript = boundary.transcript(found, "eph")
    assert transcript is not None
    assert transcript.messages[0]["content"] == "kept"
    assert transcript.messages[0]["timestamp"] is None


# -- text is found where it is (C10) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ({"delta": "b ", "text": None}, {"delta": "b "}),
        ({"text": "b "}, {"delta": "b "}),
        ({"delta": "", "text": "b "}, {"delta": "b "}),
        ({"delta": "b ", "text": "b "}, {"delta": "b "}),
        ({"delta": 7}, {"delta": "7"}),
        ({"delta": 1.5, "timestamp": 2.0}, {"delta": "1.5", "timestamp": 2.0}),
        ({"delta": {"type": "text", "text": "b"}}, {"delta": "b"}),
        ({"delta": {"text": "b"}}, {"delta": "b"}),
        ({"delta": [{"type": "text", "text": "b"}]}, {"delta": "b"}),
        ({"delta": {"a": 1}}, {"delta": '{"a": 1}'}),
    ],
)
def test_the_text_of_a_delta_is_found_where_it_is(
    event: dict[str, Any], payload: dict[str, Any]
) -> None:
    assert list(translate({"event": "message.delta", **event}, 1000)) == [
        ("message.delta", payload)
    ]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ({"text": "b"}, {"text": "b"}),
        ({"delta": "b"}, {"delta": "b"}),
        ({"delta": "b", "text": None}, {"delta": "b"}),
        ({"text": "b", "delta": "c"}, {"text": "b"}),
        ({"text": 7}, {"text": "7"}),
    ],
)
@pytest.mark.parametrize("kind", ["reasoning.delta", "thinking.delta"])
def test_the_text_of_reasoning_is_found_where_it_is(
    kind: str, event: dict[str, Any], payload: dict[str, Any]
) -> None:
    assert list(translate({"event": kind, **event}, 1000)) == [(kind, payload)]


@pytest.mark.parametrize("event", [{}, {"delta": None}, {"delta": ""}, {"delta": []}, {"text": {}}])
def test_a_delta_without_any_text_is_none(event: dict[str, Any]) -> None:
    assert list(translate({"event": "message.delta", **event}, 1000)) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([], ""),
        (7, "7"),
        ({"files": ["a", "b"]}, '{"files": ["a", "b"]}'),
        ([{"a": 1}, {"b": "é"}], '[{"a": 1}, {"b": "é"}]'),
        ([1, 2], "[1, 2]"),
        ([{"type": "text", "text": "x"}, {"type": "image"}], "x\n[image]"),
        ([{"type": "text", "text": "x"}, {"a": 1}], 'x\n{"a": 1}'),
        (["x", "y"], "x\ny"),
        ([{"text": "x"}], "x"),
        ({"type": "text", "text": "x"}, "x"),
        ([{"type": "text", "text": 7}], "7"),
        ([{"type": "tool_result", "content": {"a": 1}}], '{"a": 1}'),
        ([{"type": "tool_result", "content": [{"a": 1}]}], '[{"a": 1}]'),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "x"}], "x"),
        ({"text": ""}, ""),
        ([{"text": "", "type": [1]}], ""),
        (True, "true"),
        (["", ""], ""),
        (["a", None, 7, False], "a\n7\nfalse"),
        ([None], "[null]"),
        ({"type": "tool_use", "name": "ls"}, '{"type": "tool_use", "name": "ls"}'),
        ([{"type": "thinking", "thinking": "hm"}], '[{"type": "thinking", "thinking": "hm"}]'),
        ([{"type": "refusal", "refusal": "no"}], '[{"type": "refusal", "refusal": "no"}]'),
        ([{"type": "tool_result", "content": "x"}, 5], "x\n5"),
        ([{"type": "tool_result", "content": None}], ""),
        ({"type": "text", "text": "x", "annotations": []}, "x"),
        ([{"type": "text", "text": ["x", {"a": None}]}], 'x\n{"a": null}'),
        ({"type": ["text"], "text": "x"}, "x"),
        ({"type": "text", "text": {"type": "text", "text": "x"}}, "x"),
        (2**64 - 1, "18446744073709551615"),
        ({"n": 2**63}, '{"n": "9223372036854775808"}'),
        ("a\x00\ud83d", "a\ufffd\ufffd"),
    ],
)
def test_content_of_any_shape_is_shown_as_text_or_json(content: Any, text: str) -> None:
    row = {"role": "tool", "content": content, "tool_call_id": "c"}
    found = boundary.transcript(sent({"data": [row]}), "eph")
    assert found is not None
    assert found.messages[0]["content"] == text
    assert reconcile([], found, "eph", "stop").rows[0]["content"] == text
    ((_, event),) = tail([], found.messages).events
    assert event["output"] == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("broken", "broken"),
        ({"message": "broken", "code": 5}, "broken"),
        ({"detail": "broken"}, "broken"),
        ({"error": {"message": "broken"}}, "broken"),
        ({"message": None, "detail": "broken"}, "broken"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        (["a", "b"], "a; b"),
        ([{"type": "text", "text": "broken"}], "broken"),
        ({"error": {"error": {"error": "broken"}}}, "broken"),
        ({"message": {"reason": 5}}, '{"reason": 5}'),
        ({"message": ["a", {"msg": "b"}]}, "a; b"),
        ({"message": "", "detail": [], "code": 5}, '{"message": "", "detail": [], "code": 5}'),
        (True, "true"),
        (1.5, "1.5"),
        ({"code": 5}, '{"code": 5}'),
        (429, "429"),
        (None, None),
        ({}, None),
        ("", None),
    ],
)
def test_an_error_says_what_it_says_wherever_that_is(error: Any, text: str | None) -> None:
    assert error_text(error) == text
    end = gateway_end({"event": "run.failed", "error": error})
    assert end is not None
    assert end.error == text
    assert boundary.run_status(sent({"status": "failed", "error": error})).error == text


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "why"}},
        {"detail": "why"},
        {"message": "why"},
        {"error": "why"},
        {"error": None, "detail": "why"},
        {"detail": [{"msg": "why"}]},
    ],
)
def test_the_body_of_an_error_is_read(body: dict[str, Any]) -> None:
    assert boundary.error_of(body) == "why"
    assert boundary.error_of({"error": None, "code": 1}) is None


def test_what_is_null_counts_as_missing() -> None:
    found = boundary.transcript(sent({"data": [], "session_id": None}), "eph")
    assert found is not None
    assert found.session_id == "eph"
    page = boundary.session_page(sent({"data": [{"id": "a"}] * 200, "has_more": None}), 200)
    assert page is not None
    assert page.more
    page = boundary.session_page(sent({"data": [{"id": "a"}, {"no": 1}, 5]}), 200)
    assert page is not None
    assert (len(page.rows), page.size, page.more) == (1, 3, False)


@pytest.mark.parametrize(
    ("run_id", "known"),
    [
        ("run_1", "run_1"),
        (7, "7"),
        ("", None),
        (None, None),
        ([1], None),
        ("a\x00", None),
        ("\ud83d", None),
        ("x" * 300, None),
        (True, None),
        ("..", None),
        (".", None),
        ("a/../b?c#d", "a/../b?c#d"),
    ],
)
def test_the_id_of_a_run_is_exactly_the_gateways_or_none(run_id: Any, known: str | None) -> None:
    assert boundary.run_id(sent({"run_id": run_id})) == known


def test_calls_are_found_in_every_shape() -> None:
    call = {"id": "c", "function": {"name": "ls", "arguments": {"a": 1}}}
    expected = {"name": "ls", "arguments": '{"a": 1}'}
    for calls in ([call], call, json.dumps([call]), [{"id": "c", "name": "ls", "input": {"a": 1}}]):
        (found,) = boundary_rows.tool_calls(calls)
        assert (found["id"], found["function"]) == ("c", expected)
    (numbered,) = boundary_rows.tool_calls([{"call_id": 5, "function": {"name": "ls"}}])
    assert (numbered["id"], numbered["call_id"]) == ("5", "5")


def test_calls_among_the_blocks_of_a_content_are_calls() -> None:
    use = {"type": "tool_use", "id": "c", "name": "ls", "input": {"a": 1}}
    row = {"role": "assistant", "content": [{"type": "text", "text": "x"}, use, {"type": [1]}]}
    found = boundary.transcript(sent({"data": [row, {**row, "tool_calls": []}]}), "eph")
    assert found is not None
    for message in found.messages:
        assert [call["function"]["name"] for call in message["tool_calls"]] == ["ls"]


def test_odd_fields_are_logged_once_without_their_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    boundary_json._note.cache_clear()
    row = {"role": "assistant", "content": "", "finish_reason": {"secret": 1}}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            boundary.transcript({"data": [row]}, "eph")
    assert caplog.text.count("gateway.odd_field") == 1
    assert "finish_reason" in caplog.text
    assert "secret" not in caplog.text
