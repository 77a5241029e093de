"""One document over HTTP: in time, of bounded size, from the one address that was named."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from shared.net.fetch import Fetched, ask, fetch
from tests.support.jwts import Signer, key_set

KEYS = key_set(Signer())
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = OK + f"Content-Length: {len(KEYS)}\r\n\r\n".encode() + KEYS
Serve = Callable[[socket.socket], None]


class Server:
    """Serves each connection with a function; `url` is its address."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._serve, self._tls = serve, tls
        self.requests: list[bytes] = []
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/keys?a=b"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._tls.wrap_socket(sock, server_side=True) if self._tls else sock as line:
                    self.requests.append(line.recv(10_000))
                    self._serve(line)
            except OSError:
                continue

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Server] = []

    def begin(serve: Serve, tls: ssl.SSLContext | None = None) -> Server:
        made.append(Server(serve, tls))
        return made[-1]

    yield begin
    for server in made:
        server.stop()


def sends(data: bytes) -> Serve:
    return lambda line: line.sendall(data)


def drips(data: bytes) -> Serve:
    """A byte at a time, for ever."""

    def serve(line: socket.socket) -> None:
        for at in range(1000):
            line.sendall(data[at % len(data) : at % len(data) + 1])
            time.sleep(0.02)

    return serve


def test_a_document_is_read_with_one_request(start: Start) -> None:
    server = start(sends(WHOLE))
    assert fetch(server.url, seconds=5, most=10_000) == KEYS
    (request,) = server.requests
    assert request.startswith(b"GET /keys?a=b HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_document_in_pieces_and_one_without_a_length_are_read(start: Start) -> None:
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert fetch(start(sends(chunked)).url, seconds=5, most=100) == b"abcde"
    assert fetch(start(sends(OK + b"\r\nabc")).url, seconds=5, most=100) == b"abc"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 No\r\n\r\n",
        OK + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"SSH-2.0-OpenSSH\r\n",
        b"",
        OK + b"Content-Length: 2000\r\n\r\nshort",
        OK + b"X: y\r\n" * 1000 + b"\r\n",
        OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_any_other_answer_is_an_error(start: Start, answer: bytes) -> None:
    with pytest.raises((OSError, ValueError)):
        fetch(start(sends(answer)).url, seconds=5, most=1000)


@pytest.mark.parametrize(
    "serve",
    [
        lambda line: time.sleep(1.5),
        drips(OK),
        drips(OK + b"Content-Length: 9999\r\n\r\n"),
    ],
)
def test_it_ends_in_time_whatever_the_server_does(start: Start, serve: Serve) -> None:
    begun = time.monotonic()
    with pytest.raises((OSError, ValueError)):
        fetch(start(serve).url, seconds=0.5, most=1000)
    assert time.monotonic() - begun < 1.4


def test_a_handshake_that_drips_ends_in_time(start: Start) -> None:
    hello = b"\x16\x03\x03\x40\x00" + bytes(1000)
    url = start(drips(hello)).url.replace("http:", "https:")
    begun = time.monotonic()
    with pytest.raises(OSError, match="too long"):
        fetch(url, seconds=0.5, most=1000)
    assert time.monotonic() - begun < 1.4


def test_headers_are_sent_and_any_status_is_an_answer(start: Start) -> None:
    server = start(sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"))
    assert ask(server.url, seconds=5, most=10, headers={"X-Key": "k"}) == Fetched(404, b"no")
    assert b"\r\nX-Key: k\r\n" in server.requests[0]


def test_a_name_beyond_ascii_is_sent_as_the_web_does(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(sends(WHOLE))
    port = server.url.split(":")[2].partition("/")[0]
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port)))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [address])
    assert fetch(f"http://bücher.example:{port}/", seconds=5, most=10_000) == KEYS
    assert f"\r\nHost: xn--bcher-kva.example:{port}\r\n".encode() in server.requests[0]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        fetch(f"http://127.0.0.1:{port}/", seconds=5, most=10)


def test_a_certificate_must_be_trusted(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = start(sends(WHOLE), context)
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch(server.url, seconds=5, most=10_000)
    with authority.cert_pem.tempfile() as trusted:
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        assert fetch(server.url, seconds=5, most=10_000) == KEYS
