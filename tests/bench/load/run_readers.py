"""The two ways in which a run is read: through Holdfast, and straight from the gateway.

Both note when bytes came and keep them; nothing is decoded before the last run has ended, so the
client costs both about the same, and little.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

import orjson

from tests.bench.load.websocket import (
    PING_OF_ENGINE_IO,
    PONG_OF_ENGINE_IO,
    Frames,
    connect,
    text_frame,
)
from tests.support.gateways.demo_gateway import scripted

NAMESPACE = "/chat-run"
BUFFER = memoryview(bytearray(1 << 18))
ENDS = (b'"run.completed"', b'"run.failed"', b'"run.cancelled"')
NAME_WITHIN = 64  # bytes at the start of a frame that hold the event's name


def received(connection: socket.socket) -> bytes:
    """Read available bytes into an object of their size; `recv` would allocate the maximum."""
    return bytes(BUFFER[: connection.recv_into(BUFFER)])


class RunReader(Protocol):
    """Reads one run."""

    socket: socket.socket
    began: float
    begun: bool
    ended: bool
    arrivals: list[tuple[float, bytes]]

    def start(self, now: float) -> None:
        """Start the run; `now` is the time (monotonic seconds)."""

    def read(self, now: float) -> None:
        """Read the bytes that have arrived."""

    def events(self) -> Iterator[tuple[float, dict[str, object]]]:
        """All events, decoded, with their times."""


def run_input(tag: str, tokens: int, rate: float) -> str:
    """The input of a run that says `1 2 3 …`."""
    return scripted(tokens=tokens, rate=rate, text="{n} ") + f" #{tag}"


class SocketRunReader:
    """A run through Holdfast, on a bare Engine.IO WebSocket of its own."""

    def __init__(self, url: str, token: str, session_id: str, order: str) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        path = "/socket.io/?EIO=4&transport=websocket"
        self.socket = connect(address.hostname, address.port, path)
        self._frames = Frames()
        self._order = json.dumps(["run", {"session_id": session_id, "input": order}])
        self.began, self.begun, self.ended = 0.0, False, False
        self.arrivals: list[tuple[float, bytes]] = []
        self._handshake(token)

    def _handshake(self, token: str) -> None:
        self.socket.sendall(text_frame(f"40{NAMESPACE},{json.dumps({'token': token})}"))
        got: list[bytes] = []
        while len(got) < 2:
            data = self.socket.recv(4096)  # sockets may be opened in threads: not their buffer
            assert data, "the connection was closed"
            got += self._frames.feed(data)
        assert got[1].startswith(f"40{NAMESPACE}".encode()), got[1]

    def start(self, now: float) -> None:
        """Start the run; `now` is the time (monotonic seconds)."""
        self.began = now
        self.socket.sendall(text_frame(f"42{NAMESPACE},{self._order}"))

    def read(self, now: float) -> None:
        """Read the bytes that have arrived."""
        data = received(self.socket)
        if not data:
            self.ended = True
        for frame in self._frames.feed(data):
            if frame == PING_OF_ENGINE_IO:
                self.socket.sendall(text_frame(PONG_OF_ENGINE_IO.decode()))
                continue
            self.arrivals.append((now, frame))
            if not self.begun:
                self.begun = frame.find(b'"message.delta"', 0, NAME_WITHIN) >= 0
            if frame.find(b'"run.', 0, NAME_WITHIN) >= 0:
                self.ended = self.ended or any(end in frame[:NAME_WITHIN] for end in ENDS)

    def events(self) -> Iterator[tuple[float, dict[str, object]]]:
        """All events, decoded, with their times."""
        head = f"42{NAMESPACE},".encode()
        for at, frame in self.arrivals:
            if frame.startswith(head):
                yield at, orjson.loads(frame[len(head) :])[1]


class DirectRunReader:
    """A run straight from the gateway: POST, then the event stream, on one connection."""

    def __init__(self, url: str, key: str, order: str) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self._head = f"Host: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        self._order = orjson.dumps({"input": order})
        self.socket = socket.create_connection((address.hostname, address.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began, self.begun, self.ended = 0.0, False, False
        self.arrivals: list[tuple[float, bytes]] = []
        self._answer = b""
        self._reading = False

    def start(self, now: float) -> None:
        """Start the run; `now` is the time (monotonic seconds)."""
        self.began = now
        size = len(self._order)
        kind = f"Content-Type: application/json\r\nContent-Length: {size}\r\n"
        self.socket.sendall(
            f"POST /v1/runs HTTP/1.1\r\n{self._head}{kind}\r\n".encode() + self._order
        )

    def read(self, now: float) -> None:
        """Read the bytes that have arrived."""
        data = received(self.socket)
        if not self._reading:
            self._posted(data)
            return
        self.arrivals.append((now, data))
        self.begun = self.begun or b'"message.delta"' in data
        self.ended = not data or data.endswith(b"0\r\n\r\n")

    def _posted(self, data: bytes) -> None:
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        if body.endswith(b"}"):
            assert b" 202 " in head, head
            run_id = orjson.loads(body)["run_id"]
            path = f"/v1/runs/{run_id}/events"
            self.socket.sendall(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
            self._reading = True

    def events(self) -> Iterator[tuple[float, dict[str, object]]]:
        """All that came, decoded; an event counts as there with its last byte."""
        rest = b""
        for at, data in self.arrivals:
            *blocks, rest = (rest + data).split(b"\n\n")
            for block in blocks:
                start = block.find(b"data: ")
                if start >= 0:
                    yield at, orjson.loads(block[start + 6 :])
