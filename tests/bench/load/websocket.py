"""Just enough of WebSocket for a client that reads much and writes little."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Iterator

TEXT, PING = 0x1, 0x9
MASK = 0x80
PING_OF_ENGINE_IO, PONG_OF_ENGINE_IO = b"2", b"3"


def connect(host: str, port: int, path: str) -> socket.socket:
    """An open WebSocket, blocking. It says what a browser says, so it is served as one."""
    connection = socket.create_connection((host, port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "User-Agent: Mozilla/5.0 (bench)",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):  # byte by byte: what follows are frames
        byte = connection.recv(1)
        assert byte, answer
        answer += byte
    assert b" 101 " in answer.partition(b"\r\n")[0], answer
    return connection


def text_frame(text: str) -> bytes:
    """A client's frame. The mask is zero, which is a mask, and spares us the work of masking."""
    data = text.encode()
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | TEXT, MASK | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | TEXT, MASK | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | TEXT, MASK | 127, size)
    return head + bytes(4) + data


class Frames:
    """Splits what a server sends into payloads. Frames are whole: the server sends no fragments."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads of the text frames that are complete now."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                start, size = at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
            elif size == 127:
                start, size = at + 10, int.from_bytes(data[at + 2 : at + 10], "big")
            if end < start or end - start < size:
                break
            if data[at] & 0x0F == TEXT:
                yield data[start : start + size]
            at = start + size
        self._rest = data[at:]
