"""The gateways that must look the same: the bundled demo and the real one, oldest and newest."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clients.gateway_http_client import DEADLINE, GatewayHttpClient, Object
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.hermes_install import NEWEST, OLDEST, VERSIONS
from tests.support.gateways.model_script import Script, ToolCall, Turn, calling, tokens
from tests.support.gateways.model_server import ModelServer
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import TOKEN, Stack
from worker.gateway import hermes_state_db
from worker.gateway.models import GatewayTranscript

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
    """A client of one gateway that also knows how to teach it a plan.

    `cap`: concurrent runs that it allows. `modern`: it has what came after the oldest version that
    is supported: sessions over HTTP, a page of its readiness, a key for that page, `Retry-After`.
    """

    cap = CAP
    modern = True

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


class OldReal(Real):
    """The oldest real one. It has no sessions over HTTP: they are read from its home."""

    cap = 10  # cannot be set
    modern = False
    home: Path

    def session(self, session_id: str) -> Object:
        return dict(self._stored(session_id).usage or {})

    def messages(self, session_id: str) -> list[Object]:
        return [dict(message) for message in self._stored(session_id).messages]

    def wait_prompt(self, session_id: str) -> None:
        wait_until(
            lambda: (found := self._read(session_id)) is not None and found.messages,
            within=DEADLINE,
            what=session_id,
        )

    def wait_busy(self, session_id: str) -> None:
        """Its session has no prompt before its end, but its row is there."""
        wait_until(lambda: self._read(session_id), within=DEADLINE, what=session_id)

    def stop_all(self) -> None:
        """A stream that nobody reads counts as a run here until it is five minutes old."""
        started = list(self.started)
        super().stop_all()
        for run_id in started:
            with self.events(run_id) as reader:
                list(reader)

    def _stored(self, session_id: str) -> GatewayTranscript:
        found = self._read(session_id)
        assert found is not None, session_id
        return found

    def _read(self, session_id: str) -> GatewayTranscript | None:
        return hermes_state_db.read(self.home, session_id)


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


Servers = Callable[[str], HermesGateway]


@pytest.fixture(scope="session")
def hermes_servers(
    hermes_environments: Callable[[str], Path],
    model: ModelServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Servers]:
    """The real gateway of a version, started when it is first asked for, once for all tests."""
    running: dict[str, HermesGateway] = {}

    def server(version: str) -> HermesGateway:
        if version not in running:
            hermes_environments(version)
            home = tmp_path_factory.mktemp("hermes")
            running[version] = HermesGateway.start(
                model.url, home, max_concurrent_runs=CAP, version=version
            )
        return running[version]

    yield server
    for one in running.values():
        one.kill()


@pytest.fixture(params=VERSIONS)
def hermes_version(request: pytest.FixtureRequest) -> str:
    """Each version of the real gateway in turn."""
    return str(request.param)


#: For what the oldest one does not have.
newest_only = pytest.mark.parametrize("hermes_version", [NEWEST], indirect=True)
oldest_only = pytest.mark.parametrize("hermes_version", [OLDEST], indirect=True)


@pytest.fixture
def hermes_library(hermes_version: str, hermes_environments: Callable[[str], Path]) -> Path:
    """The environment of that version."""
    return hermes_environments(hermes_version)


@pytest.fixture
def hermes_server(hermes_version: str, hermes_servers: Servers) -> HermesGateway:
    """The real gateway of each version."""
    return hermes_servers(hermes_version)


@pytest.fixture
def real(hermes_server: HermesGateway, hermes_version: str, model: ModelServer) -> Iterator[Real]:
    """A client of the real gateway; its runs are ended after the test."""
    with _client(hermes_server, hermes_version, model) as client:
        yield client


def client_of(server: HermesGateway, version: str, model: ModelServer) -> Real:
    """A client of a real gateway of that version."""
    client = (OldReal if version == OLDEST else Real)(server.url, server.key)
    client.model = model
    if isinstance(client, OldReal):
        client.home = server.home
    return client


@contextmanager
def _client(server: HermesGateway, version: str, model: ModelServer) -> Iterator[Real]:
    client = client_of(server, version, model)
    yield client
    client.stop_all()


@pytest.fixture
def demo(demo_server: DemoGateway) -> Iterator[Demo]:
    """A client of the demo gateway; its runs are ended after the test."""
    client = Demo(demo_server.url, demo_server.key)
    yield client
    client.stop_all()


@pytest.fixture(params=["demo", *VERSIONS])
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayUnderTest]:
    """Each gateway in turn: what a test says with this fixture is true of all of them."""
    if request.param == "demo":
        yield request.getfixturevalue("demo")
        return
    server = request.getfixturevalue("hermes_servers")(request.param)
    with _client(server, request.param, request.getfixturevalue("model")) as client:
        yield client


@pytest.fixture
def session_id() -> str:
    """A session name that no other test uses."""
    return f"eph_test_{next(_numbers)}"


@pytest.fixture(scope="session")
def stack(hermes_servers: Servers) -> Iterator[Stack]:
    """Holdfast in front of the newest real gateway."""
    hermes_server = hermes_servers(NEWEST)
    made = Stack(gateway=(hermes_server.url, hermes_server.key))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def holdfast(stack: Stack, model: ModelServer) -> Iterator[Real]:
    """A client of the gateway's API whose URL was changed, and nothing else."""
    client = Real(stack.url, TOKEN)
    client.model = model
    yield client
    client.stop_all()
