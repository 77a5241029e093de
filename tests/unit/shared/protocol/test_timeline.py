"""The steps of a run: names and numbers only, bounded, and the same after a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.protocol.timeline import MOST, MOST_TOOLS, Timeline


def folded(*events: tuple[str, dict[str, Any]], now: float | None = None) -> Timeline:
    made = Timeline()
    for name, payload in events:
        made.apply(name, payload, now)
    return made


def words(timeline: Timeline) -> list[str]:
    return [step["step"] for step in timeline.steps]


def test_the_first_piece_of_text_or_reasoning_is_a_step_and_no_other() -> None:
    made = folded(
        ("run.started", {"attempt": 1, "status": "started"}),
        ("reasoning.delta", {"text": "hm"}),
        ("message.delta", {"delta": "a"}),
        ("message.delta", {"delta": "b"}),
        now=5.0,
    )
    assert made.steps == [
        {"at": 5.0, "step": "started", "attempt": 1},
        {"at": 5.0, "step": "first_token"},
    ]


def test_steps_have_details_but_no_text_of_the_agent() -> None:
    made = folded(
        ("tool.started", {"tool": "terminal", "preview": "SECRET", "args": {"x": "SECRET"}}),
        ("tool.completed", {"tool": "terminal", "duration": 1.5, "output": "SECRET", "error": ""}),
        ("tool.completed", {"tool": "SECRET with spaces", "error": "SECRET SECRET"}),
        ("approval.request", {"command": "SECRET", "seq": 7}),
        ("approval.responded", {"choice": "SECRET"}),
        ("run.retrying", {"reason": "gateway_busy", "delay": 2.5}),
        ("run.reattached", {"mode": "polling"}),
        now=1.0,
    )
    assert "SECRET" not in json.dumps(made.to_state())
    assert [{k: v for k, v in step.items() if k not in ("at", "step")} for step in made.steps] == [
        {"tool": "terminal"},
        {"tool": "terminal", "duration": 1.5, "failed": False},
        {"failed": True},
        {"approval_id": 7},
        {},
        {"reason": "gateway_busy", "delay": 2.5},
        {"mode": "polling"},
    ]


def test_without_a_clock_the_event_says_when_it_was() -> None:
    made = folded(
        ("run.started", {"timestamp": 7.5}),
        ("tool.started", {"timestamp": "no"}),
        ("tool.started", {"timestamp": float("nan")}),
        ("tool.started", {"timestamp": -1}),
    )
    assert [step["at"] for step in made.steps] == [7.5, None, None, None]


@pytest.mark.parametrize("odd", [float("inf"), 2**70, True, None, [], {}, "x" * 101, "a b", "\0"])
def test_odd_details_are_left_out(odd: object) -> None:
    (step,) = folded(("tool.completed", {"tool": odd, "duration": odd}), now=1.0).steps
    assert step == {"at": 1.0, "step": "tool_completed", "failed": False}


def test_a_run_of_many_tools_keeps_room_for_what_happens_to_it() -> None:
    made = folded(*[("tool.started", {"tool": "t"})] * 5000, now=1.0)
    made.apply("run.reattached", {"mode": "replay"}, 2.0)
    assert words(made)[-1] == "reattached"
    assert (len(made.steps), made.left_out) == (MOST_TOOLS + 1, 5000 - MOST_TOOLS)
    for _ in range(1000):
        made.apply("run.retrying", {}, 3.0)
    assert len(made.steps) == MOST
    assert len(json.dumps(made.to_state())) < 50_000


def test_it_goes_on_where_its_state_was_taken() -> None:
    made = folded(("message.delta", {"delta": "a"}), ("tool.started", {"tool": "t"}), now=1.0)
    again = Timeline.from_state(json.loads(json.dumps(made.to_state())))
    again.apply("message.delta", {"delta": "b"}, 2.0)
    again.claimed(2, taken_over=True, now=3.0)
    assert words(again) == ["first_token", "tool_started", "claimed"]
    assert Timeline.from_state(None).steps == []
