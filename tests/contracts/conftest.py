"""The two gateways that must look the same: the bundled demo and the real one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clients.gateway_http_client import GatewayHttpClient
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.model_script import Script, ToolCall, Turn, calling, tokens
from tests.support.gateways.model_server import ModelServer

CAP = 4  # concurrent runs that both gateways allow here
RESULT = "42-from-tool"  # what the tool of a plan prints
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Plan:
    """One turn, described so that both gateways can play it.

    `count` chunks of text (`t0 `, `t1 `, …) at `rate` per second; `reasoning` chunks before;
    with `tool`, the first `before_tool` chunks come before a terminal call that prints RESULT;
    with `danger`, that call asks for approval first; with `fails`, the turn fails.
    """

    count: int = 5
    rate: float = 500.0
    reasoning: int = 0
    before_tool: int = 2
    tool: bool = False
    danger: bool = False
    fails: bool = False

    @property
    def text(self) -> tuple[str, ...]:
        """All chunks, in order."""
        return tokens(self.count)


LONG = Plan(count=300, rate=50)  # six seconds: ended by the test, not by itself


class GatewayUnderTest(GatewayHttpClient):
    """A client of one gateway that also knows how to teach it a plan."""

    def prompt(self, plan: Plan) -> str:
        """The input that makes this gateway follow `plan`."""
        raise NotImplementedError


class Demo(GatewayUnderTest):
    """The demo takes its script from the input itself."""

    def prompt(self, plan: Plan) -> str:
        script: dict[str, object] = {"say": "".join(plan.text).strip(), "rate": plan.rate}
        if plan.reasoning:
            script["reasoning"] = plan.reasoning
        if plan.tool or plan.danger:
            tool = {"name": "terminal", "arguments": {"command": "calc"}, "output": RESULT}
            script["tools"] = [{"after": plan.before_tool, **tool}]
        if plan.danger:
            script["approval"] = [{"after": plan.before_tool}]
        if plan.fails:
            script["end"] = "failed"
        return f"[[demo {json.dumps(script)}]]"


class Real(GatewayUnderTest):
    """The real one's model is taught through the scripted model server."""

    model: ModelServer

    def prompt(self, plan: Plan) -> str:
        name = f"plan-{next(_numbers)}-end"
        self.model.by_prompt[name] = _script(plan)
        return f"Please follow {name}"


def _script(plan: Plan) -> Script:
    delay = 1 / plan.rate
    thoughts = tokens(plan.reasoning, stem="r")
    if plan.fails:
        return lambda body: Turn(status=401)
    if not (plan.tool or plan.danger):
        return lambda body: Turn(text=plan.text, reasoning=thoughts, delay=delay)
    command = "rm -rf /tmp/holdfast-no-such-dir; " if plan.danger else ""
    call = ToolCall("terminal", {"command": f"{command}echo $((6*7))-from-tool"})
    rest = Turn(text=plan.text[plan.before_tool :], delay=delay)
    return calling(call, rest, reasoning=thoughts, preamble=plan.text[: plan.before_tool])


@pytest.fixture(scope="session")
def demo_server() -> Iterator[DemoGateway]:
    """The demo gateway, once for all tests."""
    with DemoGateway.start(key="a-key-of-the-demo-gateway", max_runs=CAP) as server:
        yield server


@pytest.fixture(scope="session")
def model() -> Iterator[ModelServer]:
    """The mind of the real gateway."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def hermes_server(
    hermes_installed: Path, model: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HermesGateway]:
    """The real gateway, once for all tests."""
    home = tmp_path_factory.mktemp("hermes")
    with HermesGateway.start(model.url, home, max_concurrent_runs=CAP) as server:
        yield server


@pytest.fixture
def real(hermes_server: HermesGateway, model: ModelServer) -> Iterator[Real]:
    """A client of the real gateway; its runs are ended after the test."""
    client = Real(hermes_server.url, hermes_server.key)
    client.model = model
    yield client
    client.stop_all()


@pytest.fixture
def demo(demo_server: DemoGateway) -> Iterator[Demo]:
    """A client of the demo gateway; its runs are ended after the test."""
    client = Demo(demo_server.url, demo_server.key)
    yield client
    client.stop_all()


@pytest.fixture(params=["demo", "hermes"])
def gateway(request: pytest.FixtureRequest) -> GatewayUnderTest:
    """Each gateway in turn: what a test says with this fixture is true of both."""
    fixture = "real" if request.param == "hermes" else "demo"
    client: GatewayUnderTest = request.getfixturevalue(fixture)
    return client


@pytest.fixture
def session_id() -> str:
    """A session name that no other test uses."""
    return f"eph_test_{next(_numbers)}"
