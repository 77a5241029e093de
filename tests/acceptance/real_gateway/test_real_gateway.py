"""Whole turns through the real gateway, the package `hermes-agent` as it is published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import Clients
from tests.acceptance.real_gateway.conftest import Kind
from tests.support.gateways.model_script import ToolCall, Turn, calling, tokens
from tests.support.gateways.model_server import ModelServer
from tests.support.paths import ROOT
from tests.support.recording import answer
from tests.support.servers.stack import Stack

PRINTED = "forty-two-from-the-tool"
CALL = ToolCall("terminal", {"command": "echo forty-two-$(echo from-the-tool)"}, id="call_echo")
WORDS = 60


@pytest.fixture(scope="module")
def model(kind: Kind) -> Iterator[ModelServer]:
    """What the gateway thinks with."""
    with ModelServer() as server:
        final = Turn(text=("The tool ", "said it."), reasoning=("Now I know.",))
        server.by_prompt["use the tool"] = calling(
            CALL, final, reasoning=("I should ", "run it."), preamble=("Let me ", "look. ")
        )
        server.by_prompt["tell a story"] = lambda body: Turn(text=tokens(WORDS), delay=0.02)
        yield server


def test_a_turn_with_reasoning_and_a_tool_is_shown_with_the_call_and_its_result(
    real: Stack, connect: Clients, session_id: str, kind: Kind
) -> None:
    client = connect(real)
    run_id = client.run("Please use the tool.", session_id)
    end = client.end(run_id, within=60)
    assert (end["status"], end["finish_reason"]) == ("completed", "stop")
    names = client.names(run_id)
    for one, other in (
        ("run.started", "message.delta"),
        ("message.delta", "tool.started"),
        ("tool.started", "tool.completed"),
        ("tool.completed", "usage.updated"),
    ):
        assert names.index(one) < len(names) - 1 - names[::-1].index(other), names
    seqs = client.seqs(run_id)
    assert seqs == list(range(1, len(seqs) + 1))
    resumed = client.resume(session_id)
    user, caller, result, final = resumed["messages"]
    assert (user["role"], user["content"]) == ("user", "Please use the tool.")
    assert caller["content"].strip() == "Let me look."
    assert (result["role"], result["tool_name"]) == ("tool", "terminal")
    assert final["content"].strip() == "The tool said it."
    assert end["inputTokens"] > 0
    assert end["outputTokens"] > 0
    assert end["usage"]["output_tokens"] == 40
    assert ("notices" in resumed) is not kind.has_transcript
    if not kind.has_transcript:
        return
    assert caller["reasoning"] == "I should run it."
    (call,) = caller["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "terminal")
    assert json.loads(call["function"]["arguments"]) == CALL.arguments
    assert result["tool_call_id"] == call["id"]
    assert PRINTED in result["content"]
    assert final["content"] == "The tool said it."
    assert final["reasoning"] == "Now I know."


def test_the_next_turn_knows_the_one_before_it(
    real: Stack, connect: Clients, model: ModelServer, session_id: str, kind: Kind
) -> None:
    client = connect(real)
    client.end(client.run("Please use the tool.", session_id), within=60)
    client.end(client.run(f"What did it say in {session_id}?", session_id), within=60)
    (asked, *_) = model.asked(f"What did it say in {session_id}?")
    said = json.dumps(asked["messages"])
    assert "Please use the tool." in said
    assert "The tool said it." in said
    assert (PRINTED in said) is kind.has_transcript


def test_the_operator_is_told_what_there_is(real: Stack, kind: Kind) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "doctor"],
        cwd=ROOT,
        env={**os.environ, **real.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (line,) = [line for line in done.stdout.splitlines() if "transcripts" in line]
    (worker,) = real.workers
    if kind.has_transcript:
        assert ("state.db" if kind.at_home else "over HTTP") in line
        worker.wait_for_log("transcript.source profile=default", within=20)
    else:
        assert line.startswith("note")
        assert "HERMES_HOME" in done.stdout
        worker.wait_for_log("transcript.none profile=default", within=20)


def test_a_client_that_joins_in_the_middle_sees_the_whole_answer(
    real: Stack, connect: Clients, session_id: str
) -> None:
    client, late = connect(real), connect(real)
    run_id = client.run("Please tell a story.", session_id)
    client.wait_until(lambda: len(client.deltas(run_id).split()) > 10, within=60, what="text")
    late.resume(session_id)
    for recording in (client, late):
        assert recording.end(run_id, within=60)["status"] == "completed"
        assert recording.text(run_id).strip() == "".join(tokens(WORDS)).strip()
    after = connect(real).resume(session_id)
    assert answer(after, run_id).strip() == "".join(tokens(WORDS)).strip()


def test_stopping_it_keeps_the_text_and_the_next_message_is_answered(
    real: Stack, connect: Clients, session_id: str
) -> None:
    client = connect(real)
    run_id = client.run("Please tell a story.", session_id)
    client.wait_until(lambda: len(client.deltas(run_id).split()) > 10, within=60, what="text")
    assert client.abort(session_id)["ok"]
    end = client.end(run_id, within=60)
    assert (end["event"], end["finish_reason"]) == ("run.completed", "aborted")
    assert client.all("abort.completed", run_id=run_id)[0]["synced"] is True
    stored = real.messages(run_id)[-1]
    assert stored.finish_reason == "aborted"
    assert stored.content.split()[:10] == [word.strip() for word in tokens(10)]
    assert "".join(tokens(WORDS)).startswith(stored.content)
    following = client.run("Say hello.", session_id)
    assert client.end(following, within=60)["status"] == "completed"
    assert client.deltas(following) == "Hello from the model."
