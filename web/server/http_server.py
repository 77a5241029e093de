"""Accepts connections and has each served by a green thread, within deadlines.

The problem: a connection that sends nothing, or a byte every few seconds, holds a file and a
thread; and one failed `accept` must not end the server for good.

The idea: this loop is ours; only the parsing of HTTP/1.1 is eventlet's (in `shared/runtime`).
Each connection has a total deadline for its headers and one for its body, however slowly bytes
come; the table cuts who misses it. When the process has no file left, the oldest unauthenticated
connection is cut and the loop goes on.

The invariant: while the process lives, it accepts. A loop that ended is seen in `healthy`, and the
process ends (`web/__main__.py`), so that its supervisor starts it anew.
"""

import errno
import logging
import socket
import time
from typing import Any

from shared import runtime
from shared.service import Service
from web.server.client_faults import ClientFaults
from web.server.connection_table import ClientConnection, ConnectionTable

log = logging.getLogger(__name__)

HEADERS_WITHIN = 15.0  # seconds for a request's line and headers, all together
IDLE_WITHIN = 75.0  # seconds between two requests on one connection
BODY_WITHIN = 30.0  # seconds for a request's body, and a second more
ANSWER_WITHIN = 30.0  # seconds for an answer to be read, and a second more
RATE = 50_000  # for each so many bytes
PAUSE = 0.05  # seconds after a failed accept
LOOK = 0.1  # seconds after which the loop looks whether it is to stop
AT_ONCE = 0.001  # seconds for which a connection is waited for that should be there already
BACKLOG = 1000  # connections that are accepted at most after the end of the loop
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

    def __init__(
        self,
        listener: socket.socket,
        app: Any,
        table: ConnectionTable,
        faults: ClientFaults,
        body_max: int,
    ) -> None:
        """`app`: a WSGI application, which finds its connection under `CONNECTION`, and refuses a
        body of more than `body_max` bytes without reading it."""
        self.service = Service("http-server", self._accept_until_stopped)
        self._listener = listener
        self._table = table
        self._faults = faults
        self._body_max = body_max
        self._logged_shortage = float("-inf")
        self._serve = runtime.http_connections(listener, app)

    def _accept_until_stopped(self) -> None:
        listener = self._listener
        listener.settimeout(LOOK)
        try:
            self._accept_all()
            self._accept_queued()
        finally:
            listener.close()

    def _accept_all(self) -> None:
        while not self.service.stopping:
            try:
                sock, address = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as error:
                self._survive(error)
                continue
            self._admit(sock, address)
            time.sleep(0)  # others are served between two newcomers

    def _accept_queued(self) -> None:
        """What the kernel has accepted already would be reset when the listener closes, and a proxy
        may not send such a request again."""
        self._listener.settimeout(AT_ONCE)
        for _ in range(BACKLOG):
            try:
                sock, address = self._listener.accept()
            except OSError:  # none is left
                return
            self._admit(sock, address)

    def _survive(self, error: OSError) -> None:
        """Raises what will not pass."""
        if self.service.stopping:
            return
        if error.errno not in PASSING:
            raise error
        if error.errno in SHORT_OF_FILES:
            self._log_shortage(error)
            self._table.make_room()
            self.service.wait(PAUSE)

    def _log_shortage(self, error: OSError) -> None:
        """Once a second: the log must not fill the disk as well."""
        now = time.monotonic()
        if now - self._logged_shortage >= 1.0:
            self._logged_shortage = now
            log.warning("http.short error=%s connections=%s", error.strerror, len(self._table))

    def _admit(self, sock: socket.socket, address: Any) -> None:
        connection = self._table.admit(
            str(address[0]), lambda: _shut(sock), lambda: runtime.is_closed_by_peer(sock)
        )
        if connection is None:
            runtime.spawn(_refuse, sock)
            return
        connection.within(HEADERS_WITHIN)
        runtime.spawn(self._serve_one, sock, address, connection)

    def _serve_one(self, sock: socket.socket, address: Any, connection: ClientConnection) -> None:
        steps = _Steps(connection, self._faults, self._body_max)
        try:
            self._serve(sock, address, steps)
        except OSError as error:
            log.debug("http.broken error=%s", type(error).__name__)
        except Exception:  # the edge: one connection must not stop the others
            log.exception("http.failed")
        finally:
            if not connection.is_handed_over:
                connection.remove()


class _Steps:
    """Where a connection stands: sets its deadlines. See `runtime.ConnectionSteps`."""

    def __init__(self, connection: ClientConnection, faults: ClientFaults, body_max: int) -> None:
        self._connection = connection
        self._faults = faults
        self._body_max = body_max
        self._has_served = False

    def awaits_request(self) -> None:
        """The next request may begin."""
        self._connection.is_busy = False
        self._connection.within(IDLE_WITHIN if self._has_served else HEADERS_WITHIN)

    def request_begun(self) -> None:
        """Its first line is there."""
        self._connection.is_busy = True
        self._connection.within(HEADERS_WITHIN)

    def refused(self) -> None:
        """It is none, or has two readings."""
        self._faults.note("bad_request")

    def headers_read(self, environ: dict[str, Any], body_bytes: int) -> None:
        """All its headers are there; `body_bytes`: what it announces."""
        environ[CONNECTION] = self._connection
        self._connection.is_busy = True
        taken = body_bytes if body_bytes <= self._body_max else 0  # else it is refused unread
        self._connection.within(BODY_WITHIN + taken / RATE if body_bytes else None)

    def answers(self, environ: dict[str, Any], answer_bytes: int) -> None:
        """The answer is sent, unless the connection is a WebSocket now."""
        if not self._connection.is_handed_over:
            self._connection.within(ANSWER_WITHIN + answer_bytes / RATE)

    def answered(self, environ: dict[str, Any]) -> None:
        """The application is done with it."""
        self._has_served = True
        self._connection.is_busy = False
        self._connection.answered()


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
