"""Events of a run in the gateway's names for a chat."""

from __future__ import annotations

from typing import Any

from web.api.http.sessions.chat.chat_events import ChatEvents


def shown(*events: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    chat = ChatEvents("s", "run_1")
    common = {"run_id": "run_1", "session_id": "s", "epoch": 1, "timestamp": 1.0}
    return [
        named
        for number, event in enumerate(events, 1)
        for named in chat.of({**event, **common, "seq": number}, [{"role": "assistant"}])
    ]


def test_a_stopped_answer_is_partial() -> None:
    completed, end, done = shown({"event": "run.cancelled", "output": "half"})
    assert completed[0] == "assistant.completed"
    assert (completed[1]["content"], completed[1]["interrupted"]) == ("half", True)
    assert (end[0], end[1]["completed"], done[0]) == ("run.cancelled", False, "done")


def test_what_the_gateway_has_no_name_for_keeps_its_own() -> None:
    asked = {"event": "approval.request", "command": "rm", "choices": ["once"], "approval_id": 7}
    ((name, payload),) = shown(asked)
    assert (name, payload["approval_id"], payload["command"]) == ("approval.request", 7, "rm")
    assert payload["run_id"] == "run_1"
    assert "epoch" not in payload


def test_events_are_counted_and_the_start_comes_once() -> None:
    found = shown(
        {"event": "run.started", "status": "running"},
        {"event": "reasoning.available", "text": "hm"},
        {"event": "tool.started", "tool": "terminal", "preview": "ls", "tool_call_id": "c"},
        {"event": "message.delta", "delta": "x"},
    )
    assert [name for name, _ in found] == ["tool.progress", "tool.started", "assistant.delta"]
    assert [payload["seq"] for _, payload in found] == [1, 2, 3]
    assert {payload["message_id"] for _, payload in found} == {"msg_1"}
    assert found[1][1]["tool_name"] == "terminal"
