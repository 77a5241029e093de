"""Requests end in time, hold no more than they may, and say for certain what was not sent
(CASES A11, C16; R2)."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from shared.errors import (
    GatewayError,
    GatewayNoResponse,
    GatewayUnreachable,
    PostUncertain,
    StreamBroken,
)
from shared.hermes.profiles import Profile
from worker.gateway import client as client_module
from worker.gateway.client import GatewayClient
from worker.gateway.exchange import _no_answer
from worker.gateway.responses import unsent_or_uncertain

Say = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Gateway:
    """Answers each request, on a connection of its own, with what `say` sends. `requests`: what
    it has received, one entry for each."""

    def __init__(self, say: Say, tls: ssl.SSLContext | None = None, *, read: bool = True) -> None:
        self.requests: list[bytes] = []
        self._say = say
        self._tls = tls
        self._read = read
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                if self._read:
                    self.requests.append(_request(connection))
                self._say(connection)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(connection: socket.socket) -> bytes:
    """A whole request: what is left unread when the connection is closed would reset it, and the
    client might lose the answer. What there is, if the client sends no more or speaks no HTTP."""
    received = connection.recv(65536)
    while True:
        if not received.startswith((b"GET ", b"POST ")):
            return received
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        if end and len(body) >= (int(length[1]) if length else 0):
            return received
        data = connection.recv(65536)
        received += data
        if not data:
            return received


@contextmanager
def serving(say: Say, tls: ssl.SSLContext | None = None, *, read: bool = True) -> Iterator[Gateway]:
    gateway = Gateway(say, tls, read=read)
    yield gateway
    gateway.stop()


def sends(data: bytes) -> Say:
    return lambda connection: connection.sendall(data)


def drips(data: bytes, begin: bytes = b"") -> Say:
    """Sends one byte every 50 ms, for ever."""

    def say(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            for at in range(len(data)):
                connection.sendall(data[at : at + 1])
                time.sleep(0.05)

    return say


def client(url: str, ca_file: Path | None = None, post_timeout: float = 0.6) -> GatewayClient:
    return GatewayClient(
        Profile("test", url, ca_file=ca_file),
        connections=2,
        connect_timeout=2.0,
        post_timeout=post_timeout,
        max_event=1000,
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT", 0.6)
    monkeypatch.setattr(client_module, "TRANSCRIPT_TIMEOUT", 0.6, raising=False)
    monkeypatch.setattr(client_module, "ANSWER_MOST", 100_000, raising=False)
    monkeypatch.setattr(client_module, "SILENCE", 0.6)


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "body of a length": drips(b" ", OK + b"Content-Length: 100000\r\n\r\n{"),
    "body until closed": drips(b" ", OK + b"Connection: close\r\n\r\n{"),
    "chunks": drips(b"1\r\n \r\n", CHUNKED),
    "the line before a chunk": drips(b"0", CHUNKED),
    "status line": drips(b"1", b"HTTP/1.1 2"),
    "a header": drips(b"x", OK + b"X: "),
    "headers": drips(b"X-X: y\r\n", OK),
    "interim answers": drips(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": lambda _: time.sleep(10),
}
ASKS: dict[str, Callable[[GatewayClient], object]] = {
    "status": lambda gateway: gateway.status("run_x"),
    "transcript": lambda gateway: gateway.transcript("eph"),
    "stop": lambda gateway: gateway.stop_run("run_x"),
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("drip", DRIPS)
def test_an_answer_that_drips_ends_in_time(drip: str, ask: str) -> None:
    with serving(DRIPS[drip]) as gateway:
        began = time.monotonic()
        with pytest.raises(GatewayNoResponse):
            ASKS[ask](client(gateway.url))
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("drip", DRIPS)
def test_a_post_whose_answer_drips_is_uncertain_in_time(drip: str) -> None:
    with serving(DRIPS[drip]) as gateway:
        began = time.monotonic()
        with pytest.raises(PostUncertain):
            client(gateway.url).post_run("run_x", {"input": "hi"})
        assert time.monotonic() - began < 1.5


def test_a_head_of_a_stream_that_drips_breaks_it_in_time() -> None:
    with serving(drips(b"X-X: y\r\n", OK)) as gateway:
        began = time.monotonic()
        with pytest.raises(StreamBroken):
            client(gateway.url).events("run_x")
        assert time.monotonic() - began < 1.5


def test_a_gateway_that_does_not_read_holds_no_one() -> None:
    def reads_slowly(connection: socket.socket) -> None:
        while connection.recv(100):
            time.sleep(0.05)

    with serving(reads_slowly, read=False) as gateway:
        began = time.monotonic()
        with pytest.raises(PostUncertain):
            client(gateway.url).post_run("run_x", {"input": "x" * 30_000_000})
        assert time.monotonic() - began < 2.5


GREEN = """
from shared import runtime
runtime.patch()
import sys, time
from tests.integration.worker.gateway.test_hostile_answers import client, client_module
client_module.ANSWER_TIMEOUT = 0.6
began = time.monotonic()
try:
    client(sys.argv[1]).status("run_x")
except Exception as error:
    print(type(error).__name__, time.monotonic() - began < 1.5)
try:
    client(sys.argv[1]).post_run("run_x", {"input": "x" * 20_000_000})
except Exception as error:
    print(type(error).__name__, time.monotonic() - began < 4)
"""


@pytest.mark.parametrize("drip", ["chunks", "headers", "nothing"])
def test_the_same_in_a_green_process(drip: str) -> None:
    with serving(DRIPS[drip]) as gateway:
        done = subprocess.run(
            [sys.executable, "-c", GREEN, gateway.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout.split() == ["GatewayNoResponse", "True", "PostUncertain", "True"], (
        done.stderr
    )


BIG = json.dumps({"status": "x" * 200_000}).encode()
LARGE = {
    "of a length": OK + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG,
    "chunked": CHUNKED + b"%x\r\n" % len(BIG) + BIG + b"\r\n0\r\n\r\n",
    "until closed": OK + b"Connection: close\r\n\r\n" + BIG,
    "compressed": OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(BIG),
    "an error": b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n" + BIG,
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n" + BIG,
}


@pytest.mark.parametrize("kind", LARGE)
def test_an_answer_that_is_too_large_is_none(kind: str) -> None:
    with serving(sends(LARGE[kind])) as gateway, pytest.raises(GatewayNoResponse, match="100000"):
        client(gateway.url).status("run_x")


BOMB = gzip.compress(gzip.compress(bytes(2**28)))  # some hundred bytes


MEASURES = """
import json, sys, time, tracemalloc
from tests.integration.worker.gateway.test_hostile_answers import client, client_module
client_module.ANSWER_MOST = 100_000
for url in sys.stdin:
    tracemalloc.start()
    began, error = time.monotonic(), None
    try:
        client(url.strip()).status("run_x")
    except Exception as caught:
        error = caught
    found = type(error).__mro__, tracemalloc.get_traced_memory()[1], time.monotonic() - began
    tracemalloc.stop()
    print(json.dumps([[kind.__name__ for kind in found[0]], *found[1:]]), flush=True)
"""
Measure = Callable[[str], tuple[list[str], int, float]]


@pytest.fixture(scope="module")
def measure() -> Iterator[Measure]:
    """Asks the gateway at an address, in a process where no other thread takes memory. Gives the
    names of the error's classes, bytes, and seconds."""
    command = [sys.executable, "-c", MEASURES]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def ask(url: str) -> tuple[list[str], int, float]:
            print(url, file=asks, flush=True)
            kinds, memory, seconds = json.loads(answers.readline())
            return kinds, memory, seconds

        yield ask
        asks.close()


@pytest.mark.parametrize(
    "coding", [b"gzip", b"gzip, gzip", b"deflate", b"gzip, deflate, gzip", b"br", b"zstd", b"x"]
)
@pytest.mark.parametrize("data", [BOMB, gzip.decompress(BOMB), BIG[:99]])
def test_a_body_in_any_coding_takes_little_memory_and_time(
    measure: Measure, coding: bytes, data: bytes
) -> None:
    head = OK + b"Connection: close\r\nContent-Encoding: " + coding + b"\r\n\r\n"
    with serving(sends(head + data)) as gateway:
        kinds, memory, seconds = measure(gateway.url)
    assert "GatewayError" in kinds
    assert memory < 20_000_000
    assert seconds < 5


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_target_is_named(code: int) -> None:
    target = b"https://user:secret@other.example/v2?key=secret\r\n"
    head = b"HTTP/1.1 %d Moved\r\nContent-Length: 0\r\nLocation: " % code + target + b"\r\n"
    with serving(sends(head)) as gateway:
        with pytest.raises(GatewayError, match=r"https://other\.example/v2") as refused:
            client(gateway.url).post_run("run_x", {"input": "hi"})
        assert not isinstance(refused.value, PostUncertain | GatewayUnreachable)
        assert "secret" not in str(refused.value)
        assert len(gateway.requests) == 1
        with pytest.raises(GatewayError, match=r"https://other\.example/v2"):
            client(gateway.url).status("run_x")
        assert len(gateway.requests) == 2


@pytest.mark.parametrize("location", [b"", b"Location: http://[bad\r\n", b"Location: \xff\x01\r\n"])
def test_a_redirect_to_nowhere_is_an_error_too(location: bytes) -> None:
    head = b"HTTP/1.1 302 Moved\r\nContent-Length: 0\r\n" + location + b"\r\n"
    with serving(sends(head)) as gateway, pytest.raises(GatewayError) as refused:
        client(gateway.url).post_run("run_x", {"input": "hi"})
    assert not isinstance(refused.value, PostUncertain | GatewayUnreachable)
    assert str(refused.value).isprintable()


# -- certificates ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_of(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


STARTED = b'{"run_id": "r1"}'
ACCEPTED = OK + b"Content-Length: %d\r\n\r\n" % len(STARTED) + STARTED


def test_a_private_authority_is_named_and_the_run_was_not_sent(authority: trustme.CA) -> None:
    with serving(sends(ACCEPTED), server_of(authority)) as gateway:
        with pytest.raises(GatewayError, match=r"certificate.*GATEWAY_CA_FILE") as refused:
            client(gateway.url).post_run("run_x", {"input": "hi"})
        assert not isinstance(refused.value, PostUncertain | GatewayUnreachable)
        with pytest.raises(GatewayNoResponse, match="certificate"):
            client(gateway.url).status("run_x")
    assert gateway.requests == []


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("of", "why"),
    [
        ({"not_after": datetime.now(UTC) - DAY}, "has expired"),
        ({"not_before": datetime.now(UTC) + DAY}, "not yet valid"),
        ({"identity": "other.example"}, "not valid for 'localhost'"),
        ({"identity": "127.0.0.1"}, "not valid for 'localhost'"),
    ],
)
def test_each_fault_of_a_certificate_is_named_and_certain(
    authority: trustme.CA, ca_file: Path, of: dict[str, Any], why: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(of.pop("identity", "localhost"), **of).configure_cert(context)
    with serving(sends(ACCEPTED), context) as gateway:
        with pytest.raises(GatewayError, match=why) as refused:
            client(gateway.url, ca_file).post_run("run_x", {"input": "hi"})
        assert not isinstance(refused.value, PostUncertain | GatewayUnreachable)
        assert "GATEWAY_CA_FILE" not in str(refused.value)
        with pytest.raises(StreamBroken, match=why):
            client(gateway.url, ca_file).events("run_x")
    assert gateway.requests == []


def test_a_gateway_that_wants_a_client_certificate_never_had_the_run() -> None:
    alert = ssl.SSLError(1, "alert")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    error = unsent_or_uncertain(_no_answer(requests.exceptions.SSLError(alert), sent=True))
    assert "client certificate" in str(error)
    assert not isinstance(error, PostUncertain | GatewayUnreachable)


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (sends(b"220 mail.example ESMTP\r\n" * 9), "SSLError: WRONG_VERSION_NUMBER"),
        (sends(b"\x15\x03\x03\x00\x02\x02\x28"), "SSLError: .*HANDSHAKE_FAILURE"),
        (sends(b"\x16\x03\x03\xff\xff"), r"SSL\w*Error|ConnectionError"),
        (lambda _: None, r"SSL\w*Error|ConnectionError"),
    ],
)
def test_a_handshake_that_fails_is_named_and_certain(say: Say, why: str) -> None:
    with serving(say) as gateway, pytest.raises(GatewayUnreachable, match=why):
        client(gateway.url.replace("http:", "https:")).post_run("run_x", {"input": "hi"})


HELLO = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0"  # the beginning of a long one
GREEN_HANDSHAKE = """
from shared import runtime
runtime.patch()
import sys
from tests.integration.worker.gateway.test_hostile_answers import shakes_hands
print(*shakes_hands(sys.argv[1]))
"""


def shakes_hands(url: str) -> list[str]:
    """What becomes of a POST and of the opening of a stream, and whether that was in time."""
    found: list[str] = []
    asks: list[Callable[[GatewayClient], object]]
    asks = [lambda gateway: gateway.post_run("run_x", {}), lambda gateway: gateway.events("run_x")]
    for ask in asks:
        began = time.monotonic()
        try:
            ask(client(url, post_timeout=1.0))
        except GatewayError as error:
            found.append(f"{type(error).__name__} {time.monotonic() - began < 5}")
    return found


@pytest.mark.parametrize("green", [False, True])
def test_a_handshake_that_drips_ends_in_time(*, green: bool) -> None:
    expected = ["GatewayUnreachable True", "StreamBroken True"]
    with serving(drips(HELLO + b"\0" * 1000)) as gateway:
        url = gateway.url.replace("http:", "https:")
        if not green:
            assert shakes_hands(url) == expected
            return
        command = [sys.executable, "-c", GREEN_HANDSHAKE, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == " ".join(expected).split(), done.stderr


def test_a_certificate_for_another_name_is_named(authority: trustme.CA, ca_file: Path) -> None:
    tls = server_of(authority, "other.example")
    with serving(sends(ACCEPTED), tls) as gateway, pytest.raises(GatewayError, match="localhost"):
        client(gateway.url, ca_file).post_run("run_x", {"input": "hi"})
    assert gateway.requests == []


def test_a_private_authority_that_is_known_is_trusted(authority: trustme.CA, ca_file: Path) -> None:
    with serving(sends(ACCEPTED), server_of(authority)) as gateway:
        assert client(gateway.url, ca_file).post_run("run_x", {"input": "hi"}) == "r1"
    assert len(gateway.requests) == 1


def test_a_gateway_that_speaks_no_tls_never_had_the_run() -> None:
    with serving(sends(b"HTTP/1.1 400 Bad\r\n\r\n")) as gateway, pytest.raises(GatewayUnreachable):
        client(gateway.url.replace("http:", "https:")).post_run("run_x", {"input": "hi"})


def test_a_name_that_does_not_exist_never_had_the_run() -> None:
    with pytest.raises(GatewayUnreachable):
        client("http://nowhere.invalid:1").post_run("run_x", {"input": "hi"})


def test_a_connection_that_ends_after_the_request_is_uncertain(
    authority: trustme.CA, ca_file: Path
) -> None:
    with serving(lambda _: None) as gateway, pytest.raises(PostUncertain):
        client(gateway.url).post_run("run_x", {"input": "hi"})
    with serving(lambda _: None, server_of(authority)) as gateway, pytest.raises(PostUncertain):
        client(gateway.url, ca_file).post_run("run_x", {"input": "hi"})


def test_a_connection_serves_many_requests() -> None:
    connections: list[socket.socket] = []

    def serves(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(3):
            received = b""
            while not received.endswith(b"}"):
                received += connection.recv(65536)
            connection.sendall(ACCEPTED)
        time.sleep(1)

    with serving(serves, read=False) as gateway:
        made = client(gateway.url)
        assert [made.post_run("run_x", {"input": "hi"}) for _ in range(3)] == ["r1"] * 3
        assert len(connections) == 1
