"""The HTTP server on real sockets: deadlines, room for newcomers, faults of `accept`."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.support.servers.processes import wait_until
from web.server import http_server
from web.server.connection_table import ConnectionLimits, ConnectionTable
from web.server.http_server import CONNECTION, HttpServer

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Start = Callable[..., tuple[HttpServer, ConnectionTable, tuple[str, int]]]


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Reads the body and says how long it was; `/known` welcomes the connection."""
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/known":
        environ[CONNECTION].mark_authenticated()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(body)).encode()]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[HttpServer] = []

    def begin(**limits: int) -> tuple[HttpServer, ConnectionTable, tuple[str, int]]:
        wanted = {
            "connections": 50,
            "unauthenticated": 10,
            "unauthenticated_per_address": 10,
        } | limits
        table = ConnectionTable(ConnectionLimits(**wanted))
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        server = HttpServer(listener, app, table)
        server.service.start()
        servers.append(server)
        return server, table, address

    yield begin
    for server in servers:
        server.service.stop()
        server.service.stop()


def connected(address: tuple[str, int], said: bytes = b"") -> socket.socket:
    client = socket.create_connection(address, timeout=5)
    client.sendall(said)
    return client


def is_cut(client: socket.socket) -> bool:
    client.settimeout(0.05)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def test_requests_are_answered_one_after_the_other_on_one_connection(start: Start) -> None:
    _, table, address = start()
    with connected(address, HELLO) as client:
        assert b"200 OK" in client.recv(1000)
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        assert client.recv(1000).endswith(b"3")
        assert len(table) == 1
    wait_until(lambda: len(table) == 0, what="it has left")


def test_headers_that_come_a_byte_at_a_time_have_one_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEADERS_WITHIN", 0.3)
    _, table, address = start()
    with connected(address, b"GET / HTTP/1.1\r\n") as client:
        began = time.monotonic()
        while not is_cut(client):
            table.cut_overdue()
            client.sendall(b"a")
            assert time.monotonic() - began < 5
    assert table.cut_late == 1


def test_a_body_that_does_not_come_has_a_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "BODY_WITHIN", 0.2)
    _, table, address = start()
    with connected(
        address, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
    ) as client:

        def late() -> bool:
            table.cut_overdue()
            return is_cut(client)

        wait_until(late, what="it is cut")


def test_the_oldest_unauthenticated_leaves_for_a_newcomer_and_a_known_one_stays(
    start: Start,
) -> None:
    _, table, address = start(unauthenticated_per_address=2)
    known = connected(address, HELLO.replace(b"/ ", b"/known "))
    assert b"200 OK" in known.recv(1000)
    first, second = connected(address), connected(address)
    wait_until(lambda: table.unauthenticated() == 2, what="both are there")
    with connected(address, HELLO) as third:
        assert b"200 OK" in third.recv(1000)
        assert is_cut(first)
        assert not is_cut(second)
        assert not is_cut(known)
    for client in (known, first, second):
        client.close()


def test_when_all_are_known_a_newcomer_is_told_to_come_back(start: Start) -> None:
    _, _, address = start(connections=1)
    with connected(address, HELLO.replace(b"/ ", b"/known ")) as known:
        known.recv(1000)
        with connected(address) as late:
            answer = late.recv(1000)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Retry-After" in answer


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED])
def test_it_goes_on_after_an_accept_that_fails(
    start: Start, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    server, table, address = start()
    real, failures = server._listener, [number] * 3

    class Failing:
        def accept(self) -> Any:
            if failures:
                raise OSError(failures.pop(), "of the test")
            return real.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    idle = [connected(address) for _ in failures]  # these leave when there is no file
    wait_until(lambda: table.unauthenticated() == len(idle), what="all are there")
    monkeypatch.setattr(server, "_listener", Failing())  # the accept that waits now is still real
    for _ in range(2):
        with connected(address, HELLO.replace(b"/ ", b"/known ")) as client:
            assert b"200 OK" in client.recv(1000)
    assert failures == []
    assert server.service.healthy
    monkeypatch.undo()
    for client in idle:
        client.close()


def test_a_server_that_ended_is_not_healthy(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server, _, address = start()

    class Broken:
        def accept(self) -> Any:
            raise OSError(errno.EBADF, "of the test")

    real = server._listener
    monkeypatch.setattr(server, "_listener", Broken())
    with connected(address, HELLO) as client:
        client.recv(1000)
    wait_until(lambda: not server.service.healthy, what="health sees it")
    monkeypatch.setattr(server, "_listener", real)


@pytest.mark.parametrize("second", [b"3", b"30"])
def test_two_lengths_of_one_body_are_refused(start: Start, second: bytes) -> None:
    _, _, address = start()
    said = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: " + second
    with connected(address, said + b"\r\n\r\nabc") as client:
        assert b" 400 " in client.recv(1000).split(b"\r\n")[0]
