"""Whole stacks of real processes, and clients of them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from deploy.local.ports import LOOPBACK, free_port
from tests.support.clients.js_client import JsClient, install
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.servers.stack import TOKEN, Stack

Clients = Callable[..., SocketClient]
JsClients = Callable[..., JsClient]

_numbers = itertools.count(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the processes of its stacks wrote."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Stack):
                report.sections.append((f"processes of {name}", value.logs()))
    return report


@pytest.fixture(scope="session")
def client_loop() -> Iterator[ClientLoop]:
    """The thread in which all Python clients live."""
    loop = ClientLoop()
    yield loop
    loop.stop()


@pytest.fixture(scope="session")
def late_gateway() -> Iterator[DemoGateway]:
    """A gateway that takes every run and never says so."""
    with DemoGateway.start(key="key-of-the-late-one", max_runs=0) as gateway:
        gateway.faults(post_hang_seconds=60, post_never=True, accepted=True)
        yield gateway


@pytest.fixture(scope="session")
def closed_port() -> int:
    """A port on which nobody listens, unless a test starts a gateway there."""
    return free_port()


@pytest.fixture(scope="session")
def stack(late_gateway: DemoGateway, closed_port: int) -> Iterator[Stack]:
    """One web process and one worker on SQLite, impatient with gateways; for most tests.

    Profiles: `default` is a demo gateway, at `closed` nothing listens, `late` never answers.
    """
    made = Stack(
        profiles={
            "closed": (f"http://{LOOPBACK}:{closed_port}", "key-of-the-closed-one"),
            "late": (late_gateway.url, late_gateway.key),
        },
        START_DEADLINE=2,
        POST_TIMEOUT=2,
        STOP_TIMEOUT=3,
        WATCHDOG_SECONDS=1,
    )
    try:
        yield made.start()
        assert made.accidents() == [], "an error that nobody planned"
    finally:
        made.stop()


@pytest.fixture
def faulty(stack: Stack) -> Iterator[DemoGateway]:
    """The gateway of the usual stack, for faults; it is well again after the test."""
    yield stack.gateway
    stack.gateway.clear_faults()


@pytest.fixture
def client(stack: Stack, connect: Clients) -> SocketClient:
    """One socket of the usual stack, of protocol 2."""
    return connect(stack)


@pytest.fixture
def connect(client_loop: ClientLoop) -> Iterator[Clients]:
    """Connects sockets to a stack; they are closed after the test."""
    made: list[SocketClient] = []

    def connect_one(to: Stack, **options: Any) -> SocketClient:
        options = {"protocol": 2, **options}
        made.append(SocketClient(client_loop, to.url, options.pop("token", TOKEN), **options))
        return made[-1].connect()

    yield connect_one
    for one in made:
        one.disconnect()


@pytest.fixture(scope="session")
def javascript() -> None:
    """The npm package `socket.io-client`; under CI it must be there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("neither node nor npm")
    install()


@pytest.fixture
def js_client(javascript: None) -> Iterator[JsClients]:
    """Connects clients in Node; they are ended after the test."""
    made: list[JsClient] = []

    def connect_one(to: Stack, script: str = "driver.js", **options: Any) -> JsClient:
        made.append(JsClient(script, to.url, TOKEN, **options))
        made[-1].wait_for("connect")
        return made[-1]

    yield connect_one
    for one in made:
        one.stop()


@pytest.fixture
def session_id() -> str:
    """A session that no other test uses."""
    return f"session-{next(_numbers)}"


@pytest.fixture
def new_session() -> Callable[[], str]:
    """More of them."""
    return lambda: f"session-{next(_numbers)}"
