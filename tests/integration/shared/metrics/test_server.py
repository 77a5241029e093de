"""The port of the metrics: who may read it, and what strangers can do to it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
import requests

from deploy.local.ports import LOOPBACK, free_port
from shared.errors import SettingsError
from shared.metrics import server
from shared.metrics.instruments import Registry
from shared.metrics.server import MetricsServer, open_server
from shared.settings import Settings
from tests.support.servers.processes import wait_until

Serve = Callable[..., MetricsServer]


@pytest.fixture
def registry() -> Registry:
    made = Registry("a test")
    made.counter("things_total", "Things.").inc(2)
    return made


@pytest.fixture
def serve(registry: Registry) -> Iterator[Serve]:
    """Starts a server with these variables."""
    started: list[MetricsServer] = []

    def start(**variables: object) -> MetricsServer:
        environ = {name: str(value) for name, value in variables.items()}
        made = open_server(Settings.load(environ), [registry])
        assert made is not None
        started.append(made)
        made.service.start()
        return made

    yield start
    for one in started:
        one.service.stop()


def get(one: MetricsServer, path: str = "/metrics", **headers: str) -> requests.Response:
    return requests.get(f"http://{LOOPBACK}:{one.port}{path}", headers=headers, timeout=10)


def test_without_a_port_nothing_is_served(registry: Registry) -> None:
    assert open_server(Settings.load({}), [registry]) is None


def test_prometheus_reads_what_was_counted(serve: Serve) -> None:
    answer = get(serve(METRICS_PORT=free_port()))
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "things_total 2.0" in answer.text
    assert "_created" not in answer.text


def test_other_paths_are_not_there(serve: Serve) -> None:
    one = serve(METRICS_PORT=free_port())
    assert get(one, "/").status_code == 404
    assert requests.post(f"http://{LOOPBACK}:{one.port}/metrics", timeout=10).status_code == 501


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer the-tokén", "the-token"])
def test_whoever_lacks_the_token_reads_nothing(serve: Serve, given: str) -> None:
    one = serve(METRICS_PORT=free_port(), METRICS_TOKEN="the-token")
    refused = get(one, Authorization=given)
    assert refused.status_code == 401
    assert "things" not in refused.text
    assert get(one, Authorization="Bearer the-token").status_code == 200


def test_several_processes_of_a_machine_take_the_next_ports(serve: Serve) -> None:
    port = free_port()
    first, second = serve(METRICS_PORT=port), serve(METRICS_PORT=port)
    assert first.port == port
    assert port < second.port < port + server.PORTS_TRIED
    assert get(first).status_code == get(second).status_code == 200


def test_a_machine_without_a_free_port_is_said_so(
    serve: Serve, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PORTS_TRIED", 1)
    port = serve(METRICS_PORT=free_port()).port
    with pytest.raises(SettingsError, match="METRICS_PORT"):
        open_server(Settings.load({"METRICS_PORT": str(port)}), [registry])


def test_one_that_sends_nothing_holds_up_the_next_for_a_bounded_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "WITHIN", 0.2)
    one = serve(METRICS_PORT=free_port())
    with socket.create_connection((LOOPBACK, one.port)) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert get(one).status_code == 200


def test_a_stopped_one_frees_its_port(serve: Serve) -> None:
    one = serve(METRICS_PORT=free_port())
    port = one.port
    one.service.stop()

    def is_free() -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return probe.connect_ex((LOOPBACK, port)) != 0

    wait_until(is_free, what="the port is free")
