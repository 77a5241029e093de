"""The port on which Prometheus reads the metrics of one process: `GET /metrics`.

Each process has a port of its own, since a scrape has to reach that process: METRICS_PORT, or where
other processes of the machine have it, the first free one of the next. One request is served at a
time, within a few seconds and of a bounded size, so that
strangers cannot make the process keep anything.
"""

import hmac
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shared.errors import SettingsError
from shared.metrics.instruments import Registry
from shared.net.cut_after import cut_after
from shared.service import Service
from shared.settings import Settings

log = logging.getLogger(__name__)

PORTS_TRIED: Final = 20  # METRICS_PORT and those behind it
WITHIN: Final = 5.0  # seconds for a request and its answer
LOOK_EVERY: Final = 0.5  # seconds between two looks whether to stop
BACKLOG: Final = 16


class MetricsServer:
    """Answers Prometheus in a thread of its own."""

    def __init__(self, registries: Sequence[Registry], listener: socket.socket, token: str) -> None:
        """`token`: what a request has to bring as its bearer token; empty: nothing."""
        self._whole = CollectorRegistry()
        for registry in registries:
            self._whole.register(registry.prometheus)
        self._listener = listener
        self._token = token.encode()
        self.service = Service("metrics", self._serve)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.getsockname()[1])

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._whole)

    def may(self, authorization: str | None) -> bool:
        """Whether a request with this header may read them."""
        if not self._token:
            return True
        given = (authorization or "").encode()
        return hmac.compare_digest(given, b"Bearer " + self._token)

    def _serve(self) -> None:
        self._listener.settimeout(LOOK_EVERY)
        while not self.service.stopping:
            with suppress(TimeoutError, ConnectionError):
                client, address = self._listener.accept()
                self._answer(client, address)
        self._listener.close()

    def _answer(self, client: socket.socket, address: Any) -> None:
        client.settimeout(WITHIN)
        try:
            with client, cut_after(client, WITHIN):
                _Handler(client, address, self)  # type: ignore[arg-type]
        except OSError as error:
            log.debug("metrics.unanswered error=%s", type(error).__name__)
        except Exception:  # the edge: the next request may be answered
            log.exception("metrics.failed")


class _Handler(BaseHTTPRequestHandler):
    """One request of Prometheus."""

    server: MetricsServer  # type: ignore[assignment]
    server_version = "holdfast"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._send(HTTPStatus.NOT_FOUND, b"metrics are at /metrics\n")
        elif not self.server.may(self.headers.get("Authorization")):
            self._send(HTTPStatus.UNAUTHORIZED, b"needs METRICS_TOKEN as a bearer token\n")
        else:
            self._send(HTTPStatus.OK, self.server.text(), CONTENT_TYPE_LATEST)

    def _send(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: scrapes come every few seconds."""


def open_server(settings: Settings, registries: Sequence[Registry]) -> MetricsServer | None:
    """Listen on the first free port from METRICS_PORT on; None where it is not set. Raises
    SettingsError."""
    if not settings.metrics_port:
        return None
    last: OSError | None = None
    for port in range(settings.metrics_port, min(settings.metrics_port + PORTS_TRIED, 65536)):
        try:
            listener = _listen(settings.metrics_host, port)
        except OSError as error:
            last = error
            continue
        log.info("metrics.listening host=%s port=%s", settings.metrics_host, port)
        return MetricsServer(registries, listener, settings.metrics_token)
    reason = last.strerror if last is not None else "no port"
    ports = f"{settings.metrics_port} and the next {PORTS_TRIED - 1}"
    where = f"{settings.metrics_host}, ports {ports}"
    raise SettingsError([f"METRICS_PORT: cannot listen on {where}: {reason}"])


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
