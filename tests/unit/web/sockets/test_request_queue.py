"""Requests of a socket that is gone: what changes something is done, what only shows is not."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from tests.support.servers.processes import wait_until
from web.server.client_faults import ClientFaults
from web.sockets.connections import Connection, Connections
from web.sockets.rate_limit import RateLimit
from web.sockets.request_queue import RequestQueue


def test_after_the_end_of_a_socket_its_runs_are_accepted_and_nothing_is_shown() -> None:
    done: list[str] = []
    go_on = threading.Event()

    def handler(name: str) -> Any:
        def handle(_connection: Connection, _args: tuple[Any, ...]) -> dict[str, Any]:
            go_on.wait(10)
            done.append(name)
            return {}

        return handle

    connections = Connections()
    connections.add(Connection("s", "t", "owner", "default", False))
    requests = RequestQueue(
        SimpleNamespace(connection=lambda _: None),  # type: ignore[arg-type]
        connections,
        SimpleNamespace(),
        handlers={name: handler(name) for name in ("run", "resume", "abort")},
        refused=lambda *_: None,
        faults=ClientFaults(),
    )
    for name in ("run", "resume", "run", "resume", "abort"):
        requests.on_event("s", [name, {}], None)
    connections.remove("s")
    go_on.set()
    wait_until(lambda: requests.is_idle("s"), what="all are served")
    assert done == ["run", "run", "abort"]


def test_sockets_of_one_owner_share_the_limit_of_the_owner() -> None:
    served: list[str] = []
    refused: list[dict[str, Any]] = []

    def handle(connection: Connection, _args: tuple[Any, ...]) -> dict[str, Any]:
        served.append(connection.sid)
        return {}

    def acknowledge(_transport: str, _packet: int, result: dict[str, Any]) -> None:
        if not result["ok"]:
            refused.append(result["error"])

    connections = Connections()
    for sid, owner in (("a", "alice"), ("b", "alice"), ("c", "bob")):
        connections.add(Connection(sid, sid, owner, "default", False))
    owners = RateLimit(0.2)  # two at once
    assert owners.allows("alice")  # over HTTP
    requests = RequestQueue(
        SimpleNamespace(connection=lambda _: None, acknowledge=acknowledge),  # type: ignore[arg-type]
        connections,
        SimpleNamespace(),
        handlers={"run": handle},
        refused=lambda *_: None,
        faults=ClientFaults(),
        owners=owners,
    )
    for sid in "abc":
        requests.on_event(sid, ["run", {}], 1)
    wait_until(lambda: all(requests.is_idle(sid) for sid in "abc"), what="all are served")
    assert sorted(served) == ["a", "c"]
    (error,) = refused
    assert error["code"] == "too_many_requests"
    assert 1 <= error["retry_after"] <= 5
