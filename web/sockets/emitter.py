"""Puts events on sockets: straight on the queues of Engine.IO.

An entry of the log is already the JSON array of a Socket.IO event packet, so one Engine.IO packet
is built per entry and shared by all sockets; a normal emit would decode and encode it again for
each. `tests/unit/web/sockets/test_emitter.py` pins that the client gets the same.
"""

import logging
import threading
from collections.abc import Iterable

from shared.protocol.events import NAMESPACE
from web.sockets.connections import Connection, Connections
from web.sockets.engineio_internals import MESSAGE, Packet, SocketServer
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)

EVENT_OF_NAMESPACE = f"2{NAMESPACE},"


class Emitter:
    """Delivers encoded events; sockets whose queue is full are closed, since they can resume."""

    def __init__(
        self,
        server: SocketServer,
        connections: Connections,
        queue_max: int,
        pacing: ReconnectBackoff | None = None,
    ) -> None:
        self._server = server
        self._connections = connections
        self._queue_max = queue_max
        self.pacing = pacing or ReconnectBackoff()
        self.dropped = 0  # slow sockets closed so far

    def deliver(self, sids: Iterable[str], entry: bytes) -> None:
        """Queue the event for each socket. Never waits, so it may be called under any lock."""
        packet = Packet(MESSAGE, EVENT_OF_NAMESPACE + entry.decode())
        for sid in sids:
            connection = self._connections.get(sid)
            # Nothing more after the first loss: the client would take what follows for all.
            if connection is None or connection.closed:
                continue
            if not self._server.enqueue(connection.transport_id, packet, self._queue_max):
                self._drop(connection)

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
        transport = self._server.connection(connection.transport_id)
        if transport is not None:
            transport.abandon()
