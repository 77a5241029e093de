"""The HTTP server on real sockets: deadlines, room for newcomers, faults of `accept`."""

from __future__ import annotations

import errno
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.support.servers.processes import wait_until
from web.server import http_server
from web.server.client_faults import ClientFaults
from web.server.connection_table import ConnectionLimits, ConnectionTable
from web.server.http_server import CONNECTION, HttpServer

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Start = Callable[..., tuple[HttpServer, ConnectionTable, tuple[str, int]]]


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Reads the body and says how long it was; `/known` welcomes the connection."""
    body = b"" if environ["PATH_INFO"] == "/unread" else environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/known":
        environ[CONNECTION].mark_authenticated()
    headers = [("Content-Type", "text/plain")]
    if environ["PATH_INFO"] == "/bye":
        headers.append(("Connection", "close"))
    start_response("200 OK", headers)
    if environ["PATH_INFO"] == "/broken":
        return broken()
    return [b"x" * 1_000_000 if environ["PATH_INFO"] == "/long" else str(len(body)).encode()]


def broken() -> Iterator[bytes]:
    """An answer that ends with a bug."""
    yield b"begun"
    raise LookupError("a bug")


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
        server = HttpServer(listener, app, table, ClientFaults(), body_max=1000)
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
    monkeypatch.setattr(http_server, "LOOK", 0.1)
    server, _, _ = start()

    class Broken:
        def accept(self) -> Any:
            raise OSError(errno.EBADF, "of the test")

    real = server._listener
    monkeypatch.setattr(server, "_listener", Broken())
    wait_until(lambda: not server.service.healthy, what="health sees it")
    monkeypatch.setattr(server, "_listener", real)


def test_stopping_ends_the_wait_and_closes_the_listener(start: Start) -> None:
    server, table, address = start()
    with connected(address, HELLO) as client:
        assert b"200 OK" in client.recv(1000)
    wait_until(lambda: len(table) == 0, what="it waits for the next connection")
    began = time.monotonic()
    server.service.stop()
    assert time.monotonic() - began < 3
    with pytest.raises(ConnectionRefusedError):
        connected(address)


NEXT = b"GET /known HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 3\r\nContent-Length: 3", 400),
        (b"Content-Length: 3\r\nContent-Length: 30", 400),
        (b"Content-Length: 3, 3", 400),
        (b"Content-Length: +3", 400),
        (b"Content-Length: -3", 400),
        (b"Content-Length: 3_0", 400),
        (b"Content-Length: 0x3", 400),
        (b"Content-Length: 3.0", 400),
        (b"Content-Length: " + b"9" * 30, 400),
        (b"Content-Length : 3", 400),
        (b"Content-Length\t: 3", 400),
        (b"X: 1\r\n Content-Length: 3", 400),
        (b"no header\r\nContent-Length: 3", 400),
        (b"X: a\x00b", 400),
        (b"X: " + b"a" * 9000, 400),
        (b"\r\n".join(b"X-%d: 1" % n for n in range(200)), 431),
        (b"\r\n".join(b"X-%d: %s" % (n, b"a" * 8000) for n in range(20)), 400),
        (b"Transfer-Encoding: chunked", 411),
        (b"Transfer-Encoding: gzip, chunked", 411),
        (b"Transfer-Encoding: identity", 411),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", 411),
        (b"Host: y", 400),
    ],
)
def test_what_has_two_readings_is_refused_and_nothing_after_it_is_served(
    start: Start, headers: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    server, table, address = start()
    said = b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n0\r\n\r\n" + NEXT
    with connected(address, said) as client:
        got = everything(client)
    assert got.startswith((b"HTTP/1.1 %d" % status, b"HTTP/1.0 %d" % status)), got
    assert got.count(b"HTTP/1.") == 1
    assert server._faults.counts["bad_request"] == 1
    wait_until(lambda: len(table) == 0, what="it has left")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "said",
    [
        b"\r\n\r\n",
        b"x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n",
        b"\xff\xfe\x00 \x1b[31m \x07\n\n",
    ],
)
def test_what_is_no_request_ends_the_connection_without_a_line_on_stderr(
    start: Start, said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server, table, address = start()
    with connected(address, said) as client:
        assert b" 200 " not in everything(client)
    wait_until(lambda: len(table) == 0, what="it has left")
    assert server._faults.counts["bad_request"] == 1
    assert capfd.readouterr().err == ""


def test_a_body_over_the_limit_gets_no_longer_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "BODY_WITHIN", 0.2)
    monkeypatch.setattr(http_server, "RATE", 1)
    _, table, address = start()
    said = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\nabc"
    with connected(address, said) as client:
        wait_until(lambda: cuts(table) == 1, what="it is cut", within=5)
        client.close()


def test_an_answer_that_is_not_read_has_a_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(http_server, "RATE", 10**9)
    _, table, address = start()
    many = HELLO.replace(b"/ ", b"/long ") * 20
    with connected(address, many) as client:
        wait_until(lambda: cuts(table) == 1, what="it is cut", within=5)
        client.close()


def test_an_answer_is_read_by_who_still_sends_the_body(start: Start) -> None:
    """As a proxy does that keeps no connection: what closes too early takes the answer away."""
    _, _, address = start()
    size = 9_000_000
    head = (
        f"POST /unread HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    )
    with connected(address, head.encode()) as client:
        client.sendall(b"x" * size)
        assert b"200 OK" in client.recv(1000)
        assert is_cut(client)


def test_an_answer_that_says_close_closes(start: Start) -> None:
    _, _, address = start()
    with connected(address, HELLO.replace(b"/ ", b"/bye ") + NEXT) as client:
        got = everything(client)
    assert got.count(b"HTTP/1.1 ") == 1
    assert got.lower().count(b"connection: close") == 1


def test_pipelined_requests_are_answered_in_order(start: Start) -> None:
    _, _, address = start()
    posts = [b"a" * size for size in (1, 20, 300)]
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
    with connected(address, b"".join(head % (len(body), body) for body in posts)) as client:
        wait_for = [b"\r\n\r\n1", b"\r\n\r\n20", b"\r\n\r\n300"]
        got = b""
        client.settimeout(5)
        while wait_for[-1] not in got:
            got += client.recv(1000)
    assert [got.index(part) for part in wait_for] == sorted(got.index(part) for part in wait_for)


def cuts(table: ConnectionTable) -> int:
    """How many connections have missed a deadline."""
    table.cut_overdue()
    return table.cut_late


def everything(client: socket.socket) -> bytes:
    """All that comes until the server closes."""
    client.settimeout(5)
    got = b""
    try:
        while piece := client.recv(4096):
            got += piece
    except ConnectionResetError:
        pass
    return got


def test_a_bug_in_the_middle_of_an_answer_is_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, address = start()
    with connected(address, HELLO.replace(b"/ ", b"/broken ")) as client:
        client.settimeout(10)
        while client.recv(1000):
            pass
    assert "LookupError: a bug" in caplog.text


def test_a_client_that_breaks_its_connection_is_not(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    _, table, address = start()
    with connected(address, HELLO.replace(b"/ ", b"/long ")) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: len(table) == 0, what="the connection is over")
    assert "Traceback" not in caplog.text


GREEN = """
from shared import runtime
runtime.patch()
import socket, threading, time
from web.server.client_faults import ClientFaults
from web.server.connection_table import ConnectionLimits, ConnectionTable
from web.server.http_server import HttpServer

served = []

def app(environ, start_response):
    served.append("newcomer")
    start_response("200 OK", [])
    return [b""]

def others():
    while len(served) < 60:
        served.append("other")
        time.sleep(0)

listener = socket.create_server(("127.0.0.1", 0))
clients = [socket.create_connection(listener.getsockname()) for _ in range(20)]
for client in clients:
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
table = ConnectionTable(ConnectionLimits(50, 50, 50))
threading.Thread(target=others, daemon=True).start()
HttpServer(listener, app, table, ClientFaults(), body_max=1000).service.start()
for client in clients:
    client.recv(100)
print("".join(name[0] for name in served))
"""


def test_others_are_served_between_two_newcomers() -> None:
    command = [sys.executable, "-c", GREEN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.count("n") == 20, done.stderr
    assert "nnn" not in done.stdout
