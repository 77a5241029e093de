"""Bytes to a web process, without any client library: what no well-behaved client sends."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from tests.abuse.attacks import POLLING, Attack, frame, polling_sid

TIMEOUT = 10.0  # seconds
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=%s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CONNECT = '40/chat-run,{{"token":"{}"}}'


class RawWeb:
    """Opens connections to one process, and closes them."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (str(parts.hostname), int(parts.port or 0))
        self._attack = Attack(self.address)

    def open(self, said: bytes = b"") -> socket.socket:
        """A TCP connection over which this was said."""
        sock = socket.create_connection(self.address, timeout=TIMEOUT)
        self._attack.hold(sock)
        sock.sendall(said)
        return sock

    def websocket(self, *said: str, token: str = "") -> RawSocket:
        """A WebSocket over which this was said, in one piece; first a CONNECT, if there is a
        token."""
        sock = self.open(HANDSHAKE % b"websocket")
        made = RawSocket(sock, upgraded(sock))
        made.read("0{")
        if token:
            made.say(CONNECT.format(token))
            made.read("40/chat-run,")
        if said:
            made.say(*said)
        return made

    def polling(self, token: str = "") -> Polling:
        """A client that polls; connected to our namespace, if there is a token."""
        sid = polling_sid(self._attack)
        assert sid is not None, "the handshake was refused"
        client = Polling(self, sid)
        if token:
            assert client.post(CONNECT.format(token))[0] == 200
            assert client.packets()[0].startswith("40/chat-run,")
        return client

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request, on a connection of its own."""
        with self.open(request) as sock:
            return answer(sock)

    def close(self) -> None:
        """Close all of them."""
        self._attack.release()


class RawSocket:
    """A WebSocket in plain bytes."""

    def __init__(self, sock: socket.socket, received: bytes = b"") -> None:
        self.sock = sock
        self._buffer = received

    def say(self, *texts: str) -> None:
        self.sock.sendall(b"".join(frame(1, text.encode()) for text in texts))

    def read(self, prefix: str) -> str:
        """The next text that begins so."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            text = self._text()
            if text.startswith(prefix):
                return text
        raise AssertionError(prefix)

    def is_closed(self, within: float = TIMEOUT) -> bool:
        """Whether the server closes it within that time; what comes before is not looked at."""
        deadline = time.monotonic() + within
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.sock.settimeout(left)
                if not self.sock.recv(1 << 16):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        return False

    def _text(self) -> str:
        while True:
            size, start = self._head()
            if len(self._buffer) >= start + size > 0:
                text = self._buffer[start : start + size].decode(errors="replace")
                self._buffer = self._buffer[start + size :]
                return text
            data = self.sock.recv(1 << 16)
            assert data, "closed"
            self._buffer += data

    def _head(self) -> tuple[int, int]:
        """Size of the first frame's payload, and where it begins; zeros: it is not there yet."""
        if len(self._buffer) < 2:
            return 0, 0
        size = self._buffer[1]
        more = {126: 2, 127: 8}.get(size, 0)
        if more:
            size = int.from_bytes(self._buffer[2 : 2 + more], "big")
        return size, 2 + more


class Polling:
    """A client that polls."""

    def __init__(self, web: RawWeb, sid: str) -> None:
        self._web = web
        self.sid = sid

    def head(self, method: str, more: str = "") -> bytes:
        """The request's head."""
        return f"{method} {POLLING}&sid={self.sid} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()

    def post(self, *packets: str | bytes) -> tuple[int, bytes]:
        """Status and body of the answer to these packets."""
        body = b"\x1e".join(p.encode() if isinstance(p, str) else p for p in packets)
        return self._web.ask(self.head("POST", f"Content-Length: {len(body)}\r\n") + body)

    def poll(self) -> tuple[int, bytes]:
        """Status and body of one poll."""
        return self._web.ask(self.head("GET"))

    def packets(self) -> list[str]:
        """The packets of one poll."""
        status, body = self.poll()
        assert status == 200, body
        return body.decode().split("\x1e")

    def is_there(self) -> bool:
        """Whether the process still knows it."""
        return self.post("3")[0] == 200


def upgraded(sock: socket.socket) -> bytes:
    """What came after the answer to a WebSocket's handshake, so far."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = sock.recv(4096)
        assert data, "the handshake was refused"
        got += data
    head, _, rest = got.partition(b"\r\n\r\n")
    assert b" 101 " in head, head
    return rest


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer; its length is announced, or it ends the connection."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = sock.recv(1 << 16)
        assert data, f"closed after {got!r}"
        got += data
    head, _, body = got.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    size = int(lengths[0].split(b":")[1]) if lengths else None
    while (size is None or len(body) < size) and (data := sock.recv(1 << 16)):
        body += data
    return int(head.split(b" ")[1]), body
