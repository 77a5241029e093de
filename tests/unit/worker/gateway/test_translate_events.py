"""A gateway's events in our words (P11, P12, FAILURES 29)."""

import pytest

from shared.protocol.events import RESERVED, encode
from worker.gateway.translate_events import gateway_end, translate


def words(event: dict[str, object], max_bytes: int = 1000) -> list[tuple[str, dict[str, object]]]:
    return list(translate(event, max_bytes))


def test_the_gateways_own_ids_are_not_passed_on() -> None:
    event = {"event": "tool.started", "run_id": "g", "session_id": "eph", "seq": 9, "tool": "t"}
    assert words(event) == [("tool.started", {"tool": "t"})]


def test_unknown_events_pass_under_their_own_name_and_nameless_ones_as_message() -> None:
    assert words({"event": "plan.updated", "steps": [1]}) == [("plan.updated", {"steps": [1]})]
    assert words({"text": "x"}) == [("message", {"text": "x"})]


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_gateway_cannot_speak_with_our_voice(name: str) -> None:
    assert words({"event": name, "x": 1}) == []


def test_a_name_that_is_no_text_is_dropped() -> None:
    assert words({"event": ["run.started"]}) == []


@pytest.mark.parametrize("event", [{"delta": ""}, {"delta": None}, {"delta": []}, {}])
def test_a_delta_without_text_is_dropped(event: dict[str, object]) -> None:
    assert words({"event": "message.delta", **event}) == []


def test_a_giant_delta_is_split_and_nothing_of_it_is_lost() -> None:
    text = "".join(chr(0x4E00 + n % 500) for n in range(5000))
    pieces = words({"event": "message.delta", "delta": text}, 1000)
    assert "".join(str(p["delta"]) for _, p in pieces) == text
    assert all(len(encode(name, p)) < 1100 for name, p in pieces)


def test_reasoning_keeps_the_field_it_came_with() -> None:
    assert words({"event": "reasoning.delta", "text": "a"})[0][1] == {"text": "a"}
    assert words({"event": "thinking.delta", "delta": "a"})[0][1] == {"delta": "a"}


def test_a_giant_event_of_another_kind_is_shortened_and_says_so() -> None:
    [(_, payload)] = words(
        {"event": "tool.completed", "tool": "t", "output": {"a": "x" * 10**6}}, 10_000
    )
    assert payload["truncated"] is True
    assert len(encode("tool.completed", payload)) < 10_000


def test_the_error_of_a_tool_is_a_boolean() -> None:
    assert words({"event": "tool.completed", "error": "boom"})[0][1]["error"] is True


def test_ends_are_told_apart_and_read_leniently() -> None:
    assert gateway_end({"event": "message.delta"}) is None
    end = gateway_end({"event": "run.completed", "output": 5, "usage": "x", "finish_reason": ""})
    assert end is not None
    assert (end.output, end.usage, end.finish_reason) == ("5", None, None)
