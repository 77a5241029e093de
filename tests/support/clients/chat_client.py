"""A real Socket.IO client that records every event."""

from __future__ import annotations

import threading
from typing import Any

import socketio

from shared.protocol.events import NAMESPACE
from tests.support.servers.processes import wait_until

Payload = dict[str, Any]


class ChatClient:
    """Connects at once; `received` is every event in order."""

    def __init__(self, url: str, **options: Any) -> None:
        """`options`: `query`, `transports`, `auth` (whole), `reconnection`."""
        self.received: list[tuple[str, Payload]] = []
        self._lock = threading.Lock()
        self.client = socketio.Client(reconnection=options.get("reconnection", False))
        self.client.on("*", self._on_event, namespace=NAMESPACE)
        self.client.connect(
            url + options.get("query", ""),
            namespaces=[NAMESPACE],
            auth=options.get("auth", {"token": "token"}),
            transports=options.get("transports", ["websocket"]),
        )
        self._websocket = self.client.eio.ws

    def _on_event(self, name: str, *data: Any) -> None:
        with self._lock:
            self.received.append((name, data[0]))

    def call(self, event: str, *data: Any) -> Payload:
        """Emit and give the acknowledgement."""
        sent = data[0] if len(data) == 1 else data or None
        answer: Payload = self.client.call(event, sent, namespace=NAMESPACE, timeout=20)
        return answer

    def emit(self, event: str, *data: Any) -> None:
        """Emit without asking for an acknowledgement."""
        sent = data[0] if len(data) == 1 else data or None
        self.client.emit(event, sent, namespace=NAMESPACE)

    def named(self, *names: str) -> list[Payload]:
        """The payloads of these events, in order."""
        return [payload for name, payload in list(self.received) if name in names]

    def wait_for(self, name: str, count: int = 1, within: float = 10) -> list[Payload]:
        """Wait until the event has come `count` times."""
        wait_until(
            lambda: len(self.named(name)) >= count,
            within=within,
            what=f"{count} x {name}; received {[n for n, _ in self.received][-20:]}",
        )
        return self.named(name)

    def close(self) -> None:
        """Disconnect. The library leaves its socket open when the server went first."""
        self.client.disconnect()
        if self._websocket is not None:
            self._websocket.shutdown()
