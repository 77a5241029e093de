"""Accepts connections and has each served by a green thread, within deadlines.

The problem: a connection that sends nothing, or a byte every few seconds, holds a file and a
thread; and one failed `accept` must not end the server for good.

The idea: this loop is ours; only the parsing of HTTP/1.1 is eventlet's (in `shared/runtime.py`).
Each connection has a total deadline for its headers and one for its body, however slowly bytes
come; the table cuts who misses it. When the process has no file left, the oldest unauthenticated
connection is cut and the loop goes on.

The invariant: while the process lives, it accepts. A loop that ended is seen in `healthy`, and the
process ends (`web/__main__.py`), so that its supervisor starts it anew.
"""

import errno
import logging
import socket
from typing import Any

from shared import runtime
from shared.service import Service
from web.server.connection_table import ClientConnection, ConnectionTable

log = logging.getLogger(__name__)

HEADERS_WITHIN = 15.0  # seconds for a request's line and headers, all together
IDLE_WITHIN = 75.0  # seconds between two requests on one connection
BODY_WITHIN = 30.0  # seconds for a request's body, and a second more
BODY_RATE = 50_000  # for each so many bytes that it announces
PAUSE = 0.05  # seconds after a failed accept
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"

# The process or the machine is short of something; or the client left before it was accepted.
PASSING = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED, errno.EPROTO}
    | {errno.EINTR, errno.EAGAIN, errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}
)
SHORT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

ADDRESS = "holdfast.address"  # of the client, however it came, in a request's environment
CONNECTION = "holdfast.connection"  # the connection, in a request's environment


class HttpServer:
    """One listener. `service` is its loop."""

    def __init__(self, listener: socket.socket, app: Any, table: ConnectionTable) -> None:
        """`app`: a WSGI application, which finds its connection under `CONNECTION`."""
        self.service = Service("http-server", self._accept_all, wake=self._close)
        self._listener = listener
        self._table = table
        self._closed = False
        self._serve = runtime.http_connections(listener, app)

    def _accept_all(self) -> None:
        while not self.service.stopping:
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                self._survive(error)
                continue
            self._admit(sock, address)

    def _survive(self, error: OSError) -> None:
        """Raises what will not pass."""
        if self._closed:
            return
        if error.errno not in PASSING:
            raise error
        if error.errno in SHORT_OF_FILES:
            log.warning("http.short error=%s connections=%s", error.strerror, len(self._table))
            self._table.make_room()
            self.service.wait(PAUSE)

    def _admit(self, sock: socket.socket, address: Any) -> None:
        connection = self._table.admit(str(address[0]), lambda: _shut(sock))
        if connection is None:
            runtime.spawn(_refuse, sock)
            return
        connection.within(HEADERS_WITHIN)
        runtime.spawn(self._serve_one, sock, address, connection)

    def _serve_one(self, sock: socket.socket, address: Any, connection: ClientConnection) -> None:
        steps = _Steps(connection)
        try:
            self._serve(sock, address, steps)
        except OSError as error:
            log.debug("http.broken error=%s", type(error).__name__)
        except Exception:  # the edge: one connection must not stop the others
            log.exception("http.failed")
        finally:
            if not steps.is_handed_over:
                connection.remove()

    def _close(self) -> None:
        """Wake the loop, which waits in `accept`."""
        if not self._closed:
            self._closed = True
            _shut(self._listener)
            self._listener.close()


class _Steps:
    """Where a connection stands: sets its deadlines. See `runtime.ConnectionSteps`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._has_served = False
        self.is_handed_over = False  # the connection became a WebSocket's

    def awaits_request(self) -> None:
        """The next request may begin."""
        self._connection.is_busy = False
        self._connection.within(IDLE_WITHIN if self._has_served else HEADERS_WITHIN)

    def request_begun(self) -> None:
        """Its first line is there."""
        self._connection.is_busy = True
        self._connection.within(HEADERS_WITHIN)

    def headers_read(self, environ: dict[str, Any], body_bytes: int) -> None:
        """All its headers are there; `body_bytes`: what it announces, -1 if in chunks."""
        environ[CONNECTION] = self._connection
        self._connection.is_busy = True
        size = max(body_bytes, 0)
        self._connection.within(BODY_WITHIN + size / BODY_RATE if body_bytes else None)

    def answered(self, environ: dict[str, Any]) -> None:
        """The application is done with it."""
        self._has_served = True
        self._connection.is_busy = False
        self.is_handed_over = environ.get(CONNECTION) is None


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("http.closed_before")


def _refuse(sock: socket.socket) -> None:
    try:
        sock.settimeout(1.0)
        sock.sendall(BUSY)
    except OSError:
        log.debug("http.refused_late")
    finally:
        _shut(sock)
        sock.close()
