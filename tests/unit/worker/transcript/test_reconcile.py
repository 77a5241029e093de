"""Which messages a turn leaves behind (R6, P13, P25, P27, P28)."""

from typing import Any

from shared.protocol.transcript import Transcript
from worker.gateway.boundary_rows import messages
from worker.gateway.models import GatewayTranscript
from worker.transcript.reconcile import ReconciledTurn, reconcile

CALL = {"call_id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
STORED: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL], "reasoning": None},
    {"role": "tool", "content": "a b", "tool_call_id": "c1", "tool_name": None},
    {"role": "assistant", "content": "Two files.", "finish_reason": "stop"},
]


def shown(*events: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    transcript = Transcript("run_1", "s")
    for name, payload in events:
        transcript.apply({"event": name, **payload})
    transcript.apply({"event": "run.completed"})
    return transcript.messages()


SEEN = shown(
    ("reasoning.delta", {"text": "I should look."}),
    ("message.delta", {"delta": "Let me look."}),
    ("tool.started", {"tool": "ls"}),
    ("tool.completed", {"tool": "ls"}),
    ("message.delta", {"delta": "\n\nTwo files."}),
)


def kept(
    stored: list[dict[str, Any]] | None,
    session_id: str = "eph",
    reason: str = "stop",
    *,
    stopped: bool = False,
) -> ReconciledTurn:
    transcript = GatewayTranscript(session_id, messages(stored)) if stored is not None else None
    return reconcile(SEEN, transcript, "eph", reason, stopped=stopped)


def contents(result: ReconciledTurn) -> list[tuple[str, str]]:
    return [(row["role"], row["content"]) for row in result.rows]


def test_what_was_watched_is_kept_beside_the_gateways_rows_and_without_them() -> None:
    seen = shown(
        ("reasoning.delta", {"text": "I should look.", "timestamp": 10}),
        ("message.delta", {"delta": "Let me look.", "timestamp": 12.5}),
        ("tool.started", {"tool": "ls"}),
        ("tool.completed", {"tool": "ls", "duration": 0.25, "error": True}),
        ("message.delta", {"delta": "Two files."}),
    )
    for stored in (GatewayTranscript("eph", messages(STORED)), None):
        rows = reconcile(seen, stored, "eph", "stop").rows
        assert [row["reasoning_duration"] for row in rows] == [2.5, None, None]
        assert [row["duration"] for row in rows] == [None, 0.25, None]
        assert [row["error"] for row in rows] == [None, True, None]


def test_the_gateways_rows_replace_the_streamed_ones_with_results_names_and_reasoning() -> None:
    result = kept(STORED)
    assert (result.replaced, result.diverged) == (True, False)
    assert contents(result) == [
        ("assistant", "Let me look."),
        ("tool", "a b"),
        ("assistant", "Two files."),
    ]
    assert result.rows[1]["tool_name"] == "ls"
    assert result.rows[0]["reasoning"] == "I should look."


def test_without_a_transcript_what_was_streamed_is_kept() -> None:
    result = kept(None)
    assert (result.replaced, result.diverged) == (False, False)
    assert contents(result)[0] == ("assistant", "Let me look.")
    assert contents(result)[2] == ("assistant", "\n\nTwo files.")


def test_rows_of_another_session_only_lend_their_tool_results() -> None:
    result = kept(STORED, session_id="rotated")
    assert (result.replaced, result.diverged) == (False, True)
    assert contents(result)[1] == ("tool", "a b")


def test_a_text_that_was_shown_is_never_replaced_by_another() -> None:
    stored = [*STORED[:3], {"role": "assistant", "content": "Three files."}]
    result = kept(stored)
    assert (result.replaced, result.diverged) == (False, True)
    assert contents(result)[-1] == ("assistant", "\n\nTwo files.")


def test_what_lay_between_the_shown_text_and_the_last_answer_is_filled_in() -> None:
    for begun in ("Let me", "Let me look.", ""):
        seen = shown(("message.delta", {"delta": f"{begun}\n\nTwo files."}))
        result = reconcile(seen, GatewayTranscript("eph", messages(STORED)), "eph", "stop")
        assert (result.replaced, result.diverged) == (True, True), "and clients read it again"
        assert contents(result) == contents(kept(STORED))


def test_a_gap_elsewhere_or_another_text_before_it_is_not_filled_in() -> None:
    for text in ("Let you\n\nTwo files.", "Let me\n\nTwo fi", "Let me look. At\n\nTwo files."):
        seen = shown(("message.delta", {"delta": text}))
        result = reconcile(seen, GatewayTranscript("eph", messages(STORED)), "eph", "stop")
        assert (result.replaced, result.diverged) == (False, True)
        assert contents(result) == [("assistant", text)]


def test_lines_about_an_interruption_and_empty_answers_are_not_kept() -> None:
    stored = [
        *STORED,
        {"role": "assistant", "content": "Operation interrupted."},
        {"role": "assistant", "content": "  "},
    ]
    assert contents(kept(stored, stopped=True)) == contents(kept(STORED))


def test_an_answer_that_begins_like_such_a_line_is_kept() -> None:
    for content in ("Operation interrupted.", "Operation interrupted. So the log says."):
        stored = [*STORED, {"role": "assistant", "content": content}]
        assert contents(kept(stored))[-1] == ("assistant", content)
    assert contents(kept(stored, stopped=True))[-1] == ("assistant", content)


def test_an_answer_that_was_cut_short_says_why() -> None:
    stored = [
        *STORED[:3],
        {"role": "assistant", "content": "Two files. And", "finish_reason": None},
    ]
    assert kept(stored, reason="aborted").rows[-1]["finish_reason"] == "aborted"


def test_stringified_content_is_read_and_an_answer_that_looks_like_a_list_stays() -> None:
    text = "[{'type': 'thinking', 'thinking': 'hm'}, {'type': 'text', 'text': \"it's\"}]"
    result = reconcile(
        [], GatewayTranscript("eph", [{"role": "assistant", "content": text}]), "eph", "stop"
    )
    assert (result.rows[0]["content"], result.rows[0]["reasoning"]) == ("it's", "hm")
    assert result.parsed is not None
    plain = GatewayTranscript("eph", [{"role": "assistant", "content": "[1, 2]"}])
    result = reconcile([], plain, "eph", "stop")
    assert (contents(result), result.parsed) == ([("assistant", "[1, 2]")], None)
