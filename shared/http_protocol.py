"""What is ours in the parsing of HTTP: steps are reported, and what has two readings is refused.

The parser is `eventlet.wsgi.HttpProtocol`, which `shared/runtime` puts below this class.
"""

import socket
from typing import Any, ClassVar, Protocol

from shared import http_rules

LINGER = 1.0  # seconds for a client to read why it was refused
LINGER_BYTES = 16 << 20  # that it may have sent meanwhile


class ConnectionSteps(Protocol):
    """The steps of one HTTP connection, as they happen. None of it may wait."""

    def awaits_request(self) -> None:
        """The next request may begin."""

    def request_begun(self) -> None:
        """The first line of a request is there."""

    def refused(self) -> None:
        """The request is none, or one that no client may send; the connection ends."""

    def headers_read(self, environ: dict[str, Any], body_bytes: int) -> None:
        """Its headers are there. `body_bytes`: what they announce."""

    def answers(self, environ: dict[str, Any], answer_bytes: int) -> None:
        """The application has an answer, which is sent now."""

    def answered(self, environ: dict[str, Any]) -> None:
        """The application is done with the request."""


_Parser: Any = object  # the class that comes after ours


class HttpProtocol(_Parser):  # type: ignore[misc]
    """Serves the requests of one connection. `conn_state[3]` is its `ConnectionSteps`."""

    app: ClassVar[Any]
    application: Any
    environ: Any

    def _read_request_line(self) -> Any:
        self.conn_state[3].awaits_request()
        line = super()._read_request_line()
        if line:
            self.conn_state[3].request_begun()
        return line

    def handle_one_request(self) -> None:
        self.environ = None
        super().handle_one_request()
        if self.raw_requestline and self.environ is None:
            self.close_connection = True
            self.conn_state[3].refused()
            self._linger()

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        refusal = http_rules.refusal(self.request_version, self.headers)
        if refusal is not None:
            self.send_error(*refusal)
        return refusal is None

    def handle_one_response(self) -> None:
        environ, steps = self.environ, self.conn_state[3]
        steps.headers_read(environ, int(environ.get("CONTENT_LENGTH") or 0))
        self.application = self._answer
        try:
            super().handle_one_response()
            if self.close_connection and _has_unread_body(environ):
                self._linger()
        finally:
            steps.answered(environ)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kept = [header for header in headers if not _says_close(header)]
            self.close_connection |= len(kept) < len(headers)  # else only the client knows of it
            return start_response(status, kept, *more)

        result = self.app(environ, start)
        size = sum(map(len, result)) if isinstance(result, list) else 0
        self.conn_state[3].answers(environ, size)
        return result

    def _linger(self) -> None:
        """Let the client read the answer: closing with unread data would take it away, and a proxy
        would make it a 502. The deadline of the connection bounds it, too."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER)
        left = LINGER_BYTES
        while left > 0 and (data := self.connection.recv(left)):
            left -= len(data)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.rfile.close()  # left open when the client has broken the connection
            self.environ = self.application = None  # they refer to this object: a cycle

    def log_message(self, text: str, *args: Any) -> None:
        """A client's fault is no line on stderr."""


def _has_unread_body(environ: dict[str, Any]) -> bool:
    body = environ["eventlet.input"]
    return bool(body.chunked_input or body.position < (body.content_length or 0))


def _says_close(header: tuple[str, str]) -> bool:
    name, value = header
    return name.lower() == "connection" and value.lower() == "close"
