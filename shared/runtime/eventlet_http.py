"""Serves the requests of accepted connections by eventlet's parser of HTTP, in threads of any kind.

The parser reads and writes a blocking socket and does not use eventlet's hub; so gevent's sockets
and those of the standard library do as well.
"""

import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

from shared.http_protocol import ConnectionSteps, HttpProtocol

log = logging.getLogger(__name__)

# Before the process is patched: connections that are detached belong to no thread.
_Socket = socket.socket


class _Faults:
    """Logs what eventlet's server reports, except that a client broke its connection."""

    def info(self, text: str, *args: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            log.error(text, *args)

    def debug(self, text: str, *args: Any) -> None:
        log.debug(text, *args)

    error = info


def http_connections(
    listener: socket.socket, app: Any
) -> Callable[[socket.socket, Any, ConnectionSteps], None]:
    """A function that serves the requests of one accepted connection to a WSGI application, until
    the connection ends: `serve(sock, address, steps)`. Raises OSError when the client breaks it."""
    from eventlet import wsgi

    server = wsgi.Server(
        listener,
        listener.getsockname(),
        app,
        log_output=False,
        minimum_chunk_size=1,  # else events would wait until there are 4 KB of them
        keepalive=75,
        socket_timeout=60,
        debug=False,
    )

    server.log = _Faults()  # given as an argument it would log each request as well

    class Protocol(HttpProtocol, wsgi.HttpProtocol):  # type: ignore[misc]
        """eventlet's parser with our steps."""

    Protocol.app = staticmethod(app)
    server.protocol = Protocol

    def serve(sock: socket.socket, address: Any, steps: ConnectionSteps) -> None:
        sock.settimeout(server.socket_timeout)
        state = [address, sock, "idle", steps]
        try:
            server.process_request(state)
        finally:
            state[2] = "close"
            sock.close()

    return serve


def accept_websocket(
    environ: Any, start_response: Any, without_waiting: Callable[[Any], Any]
) -> socket.socket | None:
    """Answer the WebSocket handshake of a request and detach its connection from the server.

    Returns the socket, non-blocking and owned by the caller; None if it was no such request.
    """
    from eventlet.websocket import WebSocketWSGI

    detached: list[socket.socket] = []

    def detach(websocket: Any) -> None:
        websocket.websocket_closed = True  # else it would be closed when this returns
        # Without the descriptor the server's own object can neither read from it nor close it.
        number = without_waiting(websocket.socket).detach()
        detached.append(_Socket(fileno=number))

    handshake = WebSocketWSGI(detach)
    handshake.support_legacy_versions = False
    handshake(environ, start_response)
    if not detached:
        return None
    detached[0].setblocking(False)
    return detached[0]
