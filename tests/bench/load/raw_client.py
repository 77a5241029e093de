"""A Socket.IO client over a bare WebSocket, cheap enough not to be what is measured."""

from __future__ import annotations

import json
import time
from typing import Any

from websocket import WebSocket, create_connection

NAMESPACE = "/chat-run"


class RawClient:
    """Connects, sends events, and gives frames as they came. Not for tests of behaviour."""

    def __init__(self, url: str, token: str) -> None:
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._socket: WebSocket = create_connection(address, timeout=60, skip_utf8_validation=True)
        self._socket.recv()  # Engine.IO's OPEN
        self._socket.send(f"40{NAMESPACE},{json.dumps({'token': token, 'protocol': 2})}")
        answer = self._socket.recv()
        assert str(answer).startswith(f"40{NAMESPACE}"), answer

    def emit(self, name: str, payload: dict[str, Any]) -> None:
        """Send an event without acknowledgement."""
        self._socket.send(f"42{NAMESPACE},{json.dumps([name, payload])}")

    def until(self, name: str) -> tuple[float, str]:
        """When the next event of that name came (monotonic seconds), and its frame."""
        head = f'42{NAMESPACE},["{name}"'
        while True:
            frame = str(self._socket.recv())
            if frame == "2":
                self._socket.send("3")
            elif frame.startswith(head):
                return time.monotonic(), frame

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
