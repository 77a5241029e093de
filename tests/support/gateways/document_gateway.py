"""Gateways that give the answers which a test prescribes for each path, and note what they got."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer. `body`: bytes are sent as they are."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class DocumentGateway:
    """A server in threads of its own, which plays any number of gateways, each below a path of its
    own: `gate(name)`. End it with `stop`."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.held: set[str] = set()
        self.let_go = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gateway = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def gate(self, name: str) -> Gate:
        """The gateway of that name."""
        return Gate(self, name)

    def stop(self) -> None:
        """End it."""
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Gate:
    """One of the gateways."""

    server: DocumentGateway
    name: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.server.url}/{self.name}"

    @property
    def asked(self) -> list[tuple[str, dict[str, str]]]:
        """Path and headers of each request, the names of headers in small letters."""
        start = f"/{self.name}/"
        return [
            (path.removeprefix(start[:-1]), headers)
            for path, headers in self.server.asked
            if path.startswith(start)
        ]

    def answers(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """Prescribe an answer. `X_Name=…` is that header."""
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        self.server.replies[f"/{self.name}{path}"] = Reply(body, status, named)

    def hold(self, path: str) -> None:
        """Let requests of that path wait until the server ends."""
        self.server.held.add(f"/{self.name}{path}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    gateway: DocumentGateway


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        gateway = self.server.gateway
        gateway.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.path in gateway.held:
            gateway.let_go.wait()
        reply = gateway.replies.get(self.path, Reply({"error": "no such path"}, 404))
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in (*reply.headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name)
        pass
