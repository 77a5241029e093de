"""A conversation through the real gateway: what its model reads, and approvals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Clients
from tests.acceptance.real_gateway.conftest import NEW, OLD_AT_HOME, Kind, only_with
from tests.support.gateways.model_script import ToolCall, Turn, calling
from tests.support.gateways.model_server import ModelServer
from tests.support.servers.stack import Stack

pytestmark = only_with(NEW, OLD_AT_HOME)

LOOK = ToolCall("terminal", {"command": "echo the-colour-is-$(echo green)"}, id="call_look")


def dangerous(victim: Path) -> ToolCall:
    return ToolCall("terminal", {"command": f"rm -rf {victim}"}, id="call_remove")


@pytest.fixture(scope="module")
def victims(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that the agent will want to remove."""
    folder = tmp_path_factory.mktemp("victims")
    made = {name: folder / name for name in ("allowed", "forbidden")}
    for path in made.values():
        path.mkdir()
    return made


@pytest.fixture(scope="module")
def model(kind: Kind, victims: dict[str, Path]) -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.by_prompt["look it up"] = calling(LOOK, Turn(text=("It's 'green', I \"think\".",)))
        server.by_prompt["my name is"] = lambda body: Turn(text=("Hello, Ada.",))
        server.by_prompt["put it together"] = lambda body: Turn(text=("Ada likes green.",))
        for name, path in victims.items():
            server.by_prompt[f"remove the {name}"] = calling(dangerous(path), Turn(text=("Well.",)))
        yield server


@pytest.fixture(scope="module")
def hermes_settings() -> Mapping[str, object]:
    """It asks before it does something dangerous."""
    return {"approvals": {"mode": "manual"}}


def texts(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message that the model was sent, without the system prompt. Newer
    gateways join messages of the same role, which is done here for all."""
    messages = [m for m in request["messages"] if m["role"] != "system"]
    assert all(isinstance(m["content"], str) for m in messages), messages
    runs = [(role, list(group)) for role, group in groupby(messages, itemgetter("role"))]
    return [(role, "\n".join(m["content"] for m in group)) for role, group in runs]


def test_the_third_turn_reads_the_first_two_as_people_would(
    real: Stack, connect: Clients, model: ModelServer, session_id: str, kind: Kind
) -> None:
    client = connect(real)
    prompts = ("Hello, my name is Ada.", "Please look it up.", "Now put it together.")
    for prompt in prompts:
        end = client.end(client.run(prompt, session_id), within=60)
        assert end["status"] == "completed"
    (asked,) = model.asked("Now put it together.")
    said = texts(asked)
    assert [role for role, _ in said] == ["user", "assistant", "user", "assistant", "user"]
    for part in (*prompts, "Hello, Ada.", 'I "think".'):
        assert sum(text.count(part) for _, text in said) == 1, part
    assert said[0][1] == "Hello, my name is Ada."
    assert said[1][1] == "Hello, Ada."
    assert said[2][1] == "Please look it up."
    assert ("the-colour-is-green" in said[3][1]) is kind.has_transcript
    assert "It's 'green', I \"think\"." in said[3][1]
    assert said[4][1] == "Now put it together."
    assert "[{'type'" not in json.dumps(asked["messages"])
    assert '[{\\"type' not in json.dumps(asked["messages"])


@pytest.mark.parametrize(("name", "choice"), [("allowed", "once"), ("forbidden", "deny")])
def test_a_dangerous_command_is_done_or_not_as_the_person_says(
    real: Stack,
    connect: Clients,
    victims: dict[str, Path],
    session_id: str,
    kind: Kind,
    name: str,
    choice: str,
) -> None:
    client, tab = connect(real), connect(real)
    tab.resume(session_id)
    run_id = client.run(f"Please remove the {name} folder.", session_id)
    asked = tab.wait_for("approval.request", within=60)
    assert str(victims[name]) in asked["command"]
    assert victims[name].exists()
    answer = {"run_id": run_id, "approval_id": asked["seq"], "choice": choice}
    assert tab.call("approval", answer)["ok"]
    assert client.wait_for("approval.responded")["choice"] == choice
    assert client.end(run_id, within=60)["status"] == "completed"
    assert victims[name].exists() is (choice == "deny")
    tool = [m for m in client.resume(session_id)["messages"] if m["role"] == "tool"]
    assert len(tool) == 1
    denied = "denied" in tool[0]["content"].lower()
    assert denied is (choice == "deny" and kind.has_transcript)
