"""What a turn leaves in the gateway's session: the same at the demo and at the real one."""

from __future__ import annotations

import pytest

from tests.contracts.conftest import RESULT, GatewayUnderTest, Plan, Real
from tests.contracts.gateway_events import said, words
from tests.support.clients.gateway_http_client import Object
from tests.support.gateways.model_script import prompt_of, text_of


def test_the_transcript_has_the_tool_result_under_the_call_that_names_the_tool(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    prompt = gateway.prompt(Plan(count=4, before_tool=2, tool=True))
    gateway.read(gateway.start(prompt, session_id))
    rows = gateway.messages(session_id)
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "assistant"]
    user, caller, tool, last = rows
    assert user["content"] == prompt
    assert words(caller["content"]) == ["t0", "t1"]
    assert caller["finish_reason"] == "tool_calls"
    names = {call["id"]: call["function"]["name"] for call in caller["tool_calls"]}
    assert names[tool["tool_call_id"]] == "terminal"
    assert tool["tool_name"] in (None, "terminal"), "older gateways leave the name out"
    assert RESULT in tool["content"]
    assert words(last["content"]) == ["t2", "t3"]
    assert last["finish_reason"] == "stop"
    assert all(row.get("session_id", session_id) == session_id for row in rows)
    assert sorted(row["timestamp"] for row in rows) == [row["timestamp"] for row in rows]


def test_reasoning_is_in_the_transcript(gateway: GatewayUnderTest, session_id: str) -> None:
    gateway.read(gateway.start(gateway.prompt(Plan(reasoning=4)), session_id))
    _, answer = gateway.messages(session_id)
    assert len(words(answer["reasoning"])) == 4
    assert answer["reasoning_content"] == answer["reasoning"]


def test_the_session_row_has_the_totals_of_its_turns(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    end = gateway.read(gateway.start(gateway.prompt(Plan(tool=True)), session_id))[-1]
    row = gateway.session(session_id)
    assert (row["id"], row["source"]) == (session_id, "api_server")
    assert row["input_tokens"] == end["usage"]["input_tokens"] > 0
    assert row["output_tokens"] == end["usage"]["output_tokens"] > 0
    assert (row["message_count"], row["tool_call_count"]) == (4, 1)
    assert row["parent_session_id"] is None
    assert {"cache_read_tokens", "cache_write_tokens", "reasoning_tokens"} <= row.keys()


def test_a_deleted_session_is_404_and_so_is_deleting_it_again(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    gateway.read(gateway.start(gateway.prompt(Plan()), session_id))
    answer = gateway.call("DELETE", f"/api/sessions/{session_id}")
    if not gateway.modern:
        assert (answer.status, answer.body) == (404, {}), "it has no sessions over HTTP at all"
        return
    assert (answer.status, answer.body["deleted"], answer.body["id"]) == (200, True, session_id)
    for method, tail in (("GET", ""), ("GET", "/messages"), ("DELETE", "")):
        gone = gateway.call(method, f"/api/sessions/{session_id}{tail}")
        assert (gone.status, gone.body["error"]["code"]) == (404, "session_not_found")


def test_history_is_taken_but_is_no_part_of_the_transcript(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    history = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "yes"}]
    prompt = gateway.prompt(Plan())
    gateway.read(gateway.start(prompt, session_id, conversation_history=history))
    asked, _answered = gateway.messages(session_id)
    assert asked["content"] == prompt


def test_content_blocks_inside_a_message_are_taken_as_input(
    gateway: GatewayUnderTest, session_id: str
) -> None:
    prompt = gateway.prompt(Plan())
    blocks = [{"type": "text", "text": prompt}, {"type": "text", "text": "and more"}]
    events = gateway.read(gateway.start([{"role": "user", "content": blocks}], session_id))
    assert words(said(events)) == words("".join(Plan().text))
    assert gateway.messages(session_id)[0]["content"] == f"{prompt}\nand more"


def test_an_input_of_900_kb_works(gateway: GatewayUnderTest, session_id: str) -> None:
    text = f"{gateway.prompt(Plan())} {'x' * 900_000}"
    events = gateway.read(gateway.start(text, session_id))
    assert words(said(events)) == words("".join(Plan().text))
    assert len(gateway.messages(session_id)[0]["content"]) == len(text)


def test_the_real_model_gets_instructions_history_and_input_in_this_order(real: Real) -> None:
    prompt = real.prompt(Plan())
    history = [
        {"role": "user", "content": "a question"},
        {"role": "assistant", "content": "an answer"},
    ]
    real.read(real.start(prompt, conversation_history=history, instructions="Be brief."))
    (body,) = real.model.asked(prompt)
    system, *rest = body["messages"]
    assert text_of(system).rstrip().endswith("Be brief.")
    assert [text_of(message) for message in rest] == ["a question", "an answer", prompt]
    assert prompt_of(body) == prompt


def sent(real: Real, prompt: str) -> list[str]:
    """The texts that the model was sent with this prompt, without the system prompt."""
    (body,) = real.model.asked(prompt)
    return [text_of(message) for message in body["messages"] if message["role"] != "system"]


@pytest.mark.parametrize("named", ["anew", "again"])
def test_a_history_beside_a_session_is_the_whole_context_in_every_turn(
    real: Real, session_id: str, named: str
) -> None:
    """Also if the session is named again, whose messages the gateway could add."""
    history: list[Object] = []
    for turn in range(1, 5):
        prompt = real.prompt(Plan(count=3))
        name = session_id if named == "again" else f"{session_id}_{turn}"
        fields = {"conversation_history": history} if history else {}
        answer = real.read(real.start(prompt, name, **fields))[-1]["output"]
        assert sent(real, prompt) == [*(m["content"] for m in history), prompt]
        history += [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": answer},
        ]


def test_a_session_without_a_history_is_no_context_yet(real: Real, session_id: str) -> None:
    """Newer gateways load the session then; Holdfast names each session once."""
    first, second = real.prompt(Plan()), real.prompt(Plan())
    real.read(real.start(first, session_id))
    real.read(real.start(second, session_id))
    assert sent(real, second) == [second]
