"""Puts events on sockets. The only place that touches Engine.IO's private parts.

An entry of the log is already the JSON array of a Socket.IO event packet, so one Engine.IO packet
is built per entry and shared by all sockets; a normal emit would decode and encode it again for
each. `tests/unit/test_web_emitter.py` pins that the client gets the same.
"""

import logging
import socket
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from engineio.packet import MESSAGE
from engineio.packet import Packet as TransportPacket

from shared.events import NAMESPACE
from web.connections import Connection, Connections
from web.pacing import Pacing

log = logging.getLogger(__name__)

EVENT_OF_NAMESPACE = f"2{NAMESPACE},"


class Emitter:
    """Delivers encoded events; sockets whose queue is full are closed, since they can resume."""

    def __init__(
        self, server: Any, connections: Connections, queue_max: int, pacing: Pacing | None = None
    ) -> None:
        """`server` is a `socketio.Server`."""
        self._server = server
        self._connections = connections
        self._queue_max = queue_max
        self.pacing = pacing or Pacing()
        self._upgraded: dict[str, Any] = {}  # transport id -> environ of its WebSocket request
        self.dropped = 0  # slow sockets closed so far

    def deliver(self, sids: Iterable[str], entry: bytes) -> None:
        """Queue the event for each socket. Never waits, so it may be called under any lock."""
        packet = TransportPacket(MESSAGE, EVENT_OF_NAMESPACE + entry.decode())
        for sid in sids:
            connection = self._connections.get(sid)
            # Nothing more after the first loss: the client would take what follows for all.
            if connection is not None and not connection.closed:
                self._put(connection, packet)

    def _put(self, connection: Connection, packet: TransportPacket) -> None:
        transport = self._server.eio.sockets.get(connection.transport_id)
        if transport is None or transport.closed or transport.closing:
            return
        if transport.queue.qsize() >= self._queue_max:
            self._drop(connection)
        else:
            # Not transport.send: that may find the client gone and call disconnect handlers here.
            transport.queue.put(packet)

    def _drop(self, connection: Connection) -> None:
        if connection.closed:
            return
        connection.closed = True
        self.dropped += 1
        self.pacing.dropped(connection.feeds)
        log.warning("socket.too_slow sid=%s queue_max=%s", connection.sid, self._queue_max)
        threading.Thread(target=self.close, args=(connection,), name="drop", daemon=True).start()

    def close(self, connection: Connection) -> None:
        """Close the transport, which makes every client reconnect; a DISCONNECT would not (P2)."""
        transport = self._server.eio.sockets.get(connection.transport_id)
        environ = self._upgraded.get(connection.transport_id) or self._server.environ.get(
            connection.transport_id
        )
        if transport is None:
            return
        if not transport.upgraded or environ is None:
            transport.close(wait=False, abort=True, reason=self._server.reason.TRANSPORT_CLOSE)
            return
        with suppress(OSError):  # gone already
            # Its writer waits in a send and its reader in a receive: only this ends both at once.
            environ["eventlet.input"].get_socket().shutdown(socket.SHUT_RDWR)

    def transports(self) -> Collection[str]:
        """The ids of the open Engine.IO connections."""
        sockets: Collection[str] = self._server.eio.sockets
        return sockets

    def note_upgrade(self, transport_id: str, environ: Any) -> None:
        """A polling connection goes on as WebSocket: its socket is the one of this request."""
        self._upgraded[transport_id] = environ

    def forget(self, transport_id: str) -> None:
        """The connection is gone."""
        self._upgraded.pop(transport_id, None)
