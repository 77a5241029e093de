"""What the record of a client says a page would show."""

from __future__ import annotations

from tests.support.recording import Recording


def shown(session_id: str, *messages: dict[str, str]) -> dict[str, object]:
    return {"session_id": session_id, "messages": list(messages)}


def test_a_session_that_is_shown_anew_replaces_the_text_of_its_runs_alone() -> None:
    record = Recording()
    for run_id, session_id in (("run_1", "one"), ("run_2", "two")):
        record.add("message.delta", {"run_id": run_id, "session_id": session_id, "delta": "a "})
    stored = {"role": "assistant", "id": "run_2:1", "content": "a b "}
    record.add("session.resync", shown("two", stored))
    assert (record.text("run_1"), record.text("run_2")) == ("a ", "a b ")
    record.add("session.resync", shown("one"))
    assert (record.text("run_1"), record.text("run_2")) == ("", "a b ")
