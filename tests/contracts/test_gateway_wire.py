"""Runs and their streams: each test says what is true of the demo and of the real gateways."""

from __future__ import annotations

import contextlib
import re

from tests.contracts.conftest import LONG, RESULT, GatewayUnderTest, Plan
from tests.contracts.gateway_events import named, said, words
from tests.support.clients.gateway_http_client import EventReader, Object

SILENCE = 0.5  # seconds without an event, once the run is over


def test_a_run_is_accepted_with_202_and_its_id(gateway: GatewayUnderTest) -> None:
    answer = gateway.call("POST", "/v1/runs", {"input": gateway.prompt(Plan())})
    gateway.started.append(answer.body["run_id"])
    assert answer.status == 202
    assert answer.body.keys() == {"run_id", "status"}
    assert re.fullmatch(r"run_[0-9a-f]{32}", answer.body["run_id"])
    assert answer.body["status"] == "started"


def test_a_text_turn_streams_its_deltas_and_ends_with_run_completed(
    gateway: GatewayUnderTest,
) -> None:
    plan = Plan(count=20)
    run_id = gateway.start(gateway.prompt(plan))
    events = gateway.read(run_id)
    assert all(event["run_id"] == run_id for event in events)
    assert all(isinstance(event["timestamp"], float) for event in events)
    assert words(said(events)) == words("".join(plan.text))
    assert len(named(events, "message.delta")) == plan.count
    end = events[-1]
    assert end.keys() == {"event", "run_id", "timestamp", "output", "usage"}
    assert end["event"] == "run.completed"
    assert words(end["output"]) == words("".join(plan.text))
    assert end["usage"].keys() == {"input_tokens", "output_tokens", "total_tokens"}
    assert len([event for event in events if event["event"].startswith("run.")]) == 1


def test_a_stream_is_made_of_data_lines_and_comments_only(gateway: GatewayUnderTest) -> None:
    with gateway.events(gateway.start(gateway.prompt(Plan()))) as reader:
        assert (reader.status, reader.content_type) == (200, "text/event-stream")
        lines = list(reader.lines())
    assert all(line.startswith(("data: {", ":")) for line in lines)
    assert lines[-1].startswith(":"), "a comment closes the stream: lone comments must be tolerated"


def test_tool_events_have_name_and_duration_but_neither_output_nor_call_id(
    gateway: GatewayUnderTest,
) -> None:
    events = gateway.read(gateway.start(gateway.prompt(Plan(tool=True))))
    (started,), (completed,) = named(events, "tool.started"), named(events, "tool.completed")
    assert started.keys() == {"event", "run_id", "timestamp", "tool", "preview"}
    assert completed.keys() == {"event", "run_id", "timestamp", "tool", "duration", "error"}
    assert (started["tool"], completed["tool"]) == ("terminal", "terminal")
    assert completed["error"] is False
    assert completed["duration"] >= 0
    assert events.index(started) < events.index(completed)
    assert RESULT not in str(events)


def test_output_is_the_last_message_only_while_the_stream_has_all_text(
    gateway: GatewayUnderTest,
) -> None:
    plan = Plan(count=6, before_tool=2, tool=True)
    events = gateway.read(gateway.start(gateway.prompt(plan)))
    tool = events.index(named(events, "tool.started")[0])
    assert words(said(events[:tool])) == ["t0", "t1"]
    assert words(said(events[tool:])) == ["t2", "t3", "t4", "t5"]
    assert words(events[-1]["output"]) == ["t2", "t3", "t4", "t5"]


def test_status_is_live_during_the_run_and_complete_after_it(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    run_id = gateway.start(gateway.prompt(Plan(count=50, rate=100)), session_id)
    with gateway.events(run_id) as reader:
        reader.take_deltas(1)
        during = gateway.status(run_id)
        end = list(reader)[-1]
    assert during["status"] == "running"
    assert "output" not in during
    after = gateway.wait_status(run_id)
    assert after["status"] == "completed"
    assert (after["run_id"], after["session_id"]) == (run_id, session_id)
    assert (after["output"], after["usage"]) == (end["output"], end["usage"])
    assert after["object"] == "hermes.run"
    assert after["created_at"] <= after["updated_at"]


def test_a_stream_opened_after_the_end_still_has_every_event(gateway: GatewayUnderTest) -> None:
    plan = Plan(count=30)
    run_id = gateway.start(gateway.prompt(plan))
    gateway.wait_status(run_id)
    events = gateway.read(run_id)
    assert words(said(events)) == words("".join(plan.text))
    assert events[-1]["event"] == "run.completed"


def test_a_stream_that_was_read_to_its_end_is_gone(gateway: GatewayUnderTest) -> None:
    run_id = gateway.start(gateway.prompt(Plan()))
    gateway.read(run_id)
    with gateway.events(run_id) as reader:
        assert reader.status == 404


def test_a_reader_that_leaves_takes_the_stream_with_it_but_not_the_run(
    gateway: GatewayUnderTest,
) -> None:
    plan = Plan(count=60, rate=100)
    run_id = gateway.start(gateway.prompt(plan))
    with gateway.events(run_id) as reader:
        reader.take_deltas(3)
    assert gateway.status(run_id)["status"] == "running"
    after = gateway.wait_status(run_id)
    assert after["status"] == "completed"
    assert words(after["output"]) == words("".join(plan.text))
    with gateway.events(run_id) as second:
        assert second.status == 404


def test_a_second_reader_right_after_the_first_never_learns_the_end(
    gateway: GatewayUnderTest,
) -> None:
    """The oldest one may tell it, and gives both of them a part of the text."""
    run_id = gateway.start(gateway.prompt(Plan(count=60, rate=50)))
    with gateway.events(run_id) as first:
        first.take_deltas(3)
    with gateway.events(run_id) as second:
        gateway.wait_status(run_id)
        events = [] if second.status == 404 else _until_silence(second)
    assert second.status in (200, 404), "200 proves nothing"
    if gateway.modern:
        assert not [event for event in events if event["event"].startswith("run.")]
    assert len(words(said(events))) < 60, "a part of the text at most"


def _until_silence(reader: EventReader) -> list[Object]:
    reader.set_timeout(SILENCE)
    events: list[Object] = []
    with contextlib.suppress(TimeoutError):
        events.extend(reader)
    return events


def test_stop_ends_the_run_as_cancelled_and_newer_ones_keep_the_partial_answer(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    run_id = gateway.start(gateway.prompt(LONG), session_id)
    with gateway.events(run_id) as reader:
        deltas = reader.take_deltas(10)
        answer = gateway.call("POST", f"/v1/runs/{run_id}/stop")
        rest = list(reader)
    assert (answer.status, answer.body) == (200, {"run_id": run_id, "status": "stopping"})
    assert rest[-1].keys() == {"event", "run_id", "timestamp"}
    assert rest[-1]["event"] == "run.cancelled"
    assert gateway.wait_status(run_id)["status"] == "cancelled"
    streamed = words("".join(deltas) + said(rest))
    gateway.wait_prompt(session_id)  # the oldest one writes a moment after it has said the end
    user, *rows = gateway.messages(session_id)
    assert user["role"] == "user"
    if not gateway.modern:
        assert rows == [], "the oldest one keeps no partial answer: what was streamed is all"
        return
    (partial,) = rows
    assert partial["role"] == "assistant"
    assert words(partial["content"])[:10] == streamed[:10]


def test_a_stop_before_any_text_leaves_no_answer_but_maybe_a_synthetic_line(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    run_id = gateway.start(gateway.prompt(Plan(reasoning=500, rate=50)), session_id)
    gateway.wait_busy(session_id)
    gateway.call("POST", f"/v1/runs/{run_id}/stop")
    assert gateway.wait_status(run_id)["status"] == "cancelled"
    gateway.wait_prompt(session_id)
    user, *rest = gateway.messages(session_id)
    assert user["role"] == "user"
    assert all(row["content"].startswith("Operation interrupted") for row in rest)


def test_stopping_an_unknown_or_an_ended_run_is_404(gateway: GatewayUnderTest) -> None:
    run_id = gateway.start(gateway.prompt(Plan()))
    gateway.wait_status(run_id)
    for name in (run_id, "run_nope"):
        answer = gateway.call("POST", f"/v1/runs/{name}/stop")
        assert (answer.status, answer.body["error"]["code"]) == (404, "run_not_found")


def test_an_unknown_run_has_neither_status_nor_stream(gateway: GatewayUnderTest) -> None:
    for path in ("/v1/runs/run_nope", "/v1/runs/run_nope/events"):
        answer = gateway.call("GET", path)
        assert (answer.status, answer.body["error"]["code"]) == (404, "run_not_found")


def test_a_failed_turn_ends_with_run_failed_and_a_reason_in_words(
    gateway: GatewayUnderTest,
) -> None:
    run_id = gateway.start(gateway.prompt(Plan(count=0, fails=True)))
    end = gateway.read(run_id)[-1]
    assert end.keys() == {"event", "run_id", "timestamp", "error"}
    assert end["event"] == "run.failed"
    after = gateway.wait_status(run_id)
    assert (after["status"], after["error"]) == ("failed", end["error"])
    assert isinstance(end["error"], str)
