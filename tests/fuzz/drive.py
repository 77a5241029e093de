"""Sends random input to a web process on loopback. Knows sockets, not what is sent."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from collections.abc import Callable
from random import Random

from tests.fuzz import frames, packets, requests

Address = tuple[str, int]

WAIT = 0.02  # seconds that an answer is looked for; none is needed
OPENED = "/socket.io/?EIO=4&transport="


class Sender:
    """Sends inputs on connections that it opens anew when they are closed."""

    def __init__(self, address: Address, rng: Random, token: str) -> None:
        self._address = address
        self._rng = rng
        self._token = token
        self._socket: socket.socket | None = None

    def packet(self) -> None:
        """One packet on a WebSocket, which is authenticated half of the time."""
        self._send(
            frames.masked(frames.TEXT, packets.packet(self._rng, self._token)), self._websocket
        )

    def frame(self) -> None:
        """One frame on a WebSocket."""
        self._send(frames.frame(self._rng, self._token), self._websocket)

    def request(self) -> None:
        """One request; often on the connection of the one before."""
        if self._rng.random() < 0.3:
            self.close()
        self._send(requests.request(self._rng, self._token), self._connect)

    def post(self) -> None:
        """One polling POST, in a session of its own."""
        body = packets.payload(self._rng, self._token)
        with self._connect() as sock:
            sock.sendall(f"GET {OPENED}polling HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            found = re.search(rb'"sid":"([^"]+)"', sock.recv(4096))
            if found is not None:
                head = f"POST {OPENED}polling&sid={found[1].decode()} HTTP/1.1\r\nHost: a\r\n"
                sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                sock.recv(4096)

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, data: bytes, opened: Callable[[], socket.socket]) -> None:
        try:
            self._socket = self._socket or opened()
            self._socket.sendall(data)
            self._socket.settimeout(WAIT if self._rng.random() < 0.1 else 0.0)
            while self._socket.recv(65536):
                pass
            self.close()  # the server has
        except (TimeoutError, BlockingIOError):
            self._keep()
        except OSError:
            self.close()

    def _keep(self) -> None:
        if self._socket is not None:
            self._socket.settimeout(2.0)

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(self._address, timeout=2.0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _websocket(self) -> socket.socket:
        sock = self._connect()
        key = base64.b64encode(self._rng.randbytes(16)).decode()
        sock.sendall(
            f"GET {OPENED}websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        with contextlib.suppress(TimeoutError):
            sock.recv(4096)
        if self._rng.random() < 0.5:
            connect = b'40/chat-run,{"token":"%s"}' % self._token.encode()
            sock.sendall(frames.masked(frames.TEXT, connect))
        return sock


def send(address: Address, kind: str, count: int, seed: int, token: str) -> None:
    """Send so many inputs of one kind: `packet`, `frame`, `request` or `post`."""
    sender = Sender(address, Random(f"{kind}-{seed}"), token)
    step = getattr(sender, kind)
    for _ in range(count):
        with contextlib.suppress(OSError):
            step()
    sender.close()


KINDS = ("packet", "frame", "request", "post")
