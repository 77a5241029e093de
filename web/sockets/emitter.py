"""Queues events on sockets: straight on the queues of Engine.IO.

An entry of the log is already the JSON array of a Socket.IO event packet, so one Engine.IO packet
is built per entry and shared by all sockets, and its bytes are never decoded on the way to a
WebSocket; `Server.emit` would decode and encode them again for each.
`tests/unit/web/sockets/test_emitter.py` proves that the client gets the same.
"""

import logging
import threading
from collections.abc import Collection

from web.sockets.connections import Connection, Connections
from web.sockets.engineio_internals import EventPacket, SocketServer
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)


class Emitter:
    """Delivers encoded events; sockets whose queue is full are closed, since they can resume."""

    def __init__(
        self,
        server: SocketServer,
        connections: Connections,
        queue_max: int,
        unsent_max: int,
        backoff: ReconnectBackoff,
    ) -> None:
        """`queue_max`, `unsent_max`: packets and bytes that may wait for one socket. `backoff`
        counts the sockets that are closed here."""
        self._server = server
        self._connections = connections
        self._queue_max = queue_max
        self._unsent_max = unsent_max
        self._backoff = backoff

    def deliver(self, sids: Collection[str], entry: bytes) -> None:
        """Queue the event for each socket. Never waits, so it may be called under any lock."""
        packet = EventPacket(entry)
        for sid in sids:
            connection = self._connections.get(sid)
            # Nothing more after the first loss: the client would take what follows as complete.
            if connection is None or connection.closed:
                continue
            queued = self._server.enqueue(
                connection.transport_id, packet, self._queue_max, self._unsent_max
            )
            if not queued:
                self._close_slow(connection)

    def _close_slow(self, connection: Connection) -> None:
        connection.closed = True
        self._backoff.closed_slow(connection.feeds)
        log.warning("socket.too_slow sid=%s queue_max=%s", connection.sid, self._queue_max)
        threading.Thread(
            target=self.close, args=(connection,), name="close-slow", daemon=True
        ).start()

    def close(self, connection: Connection) -> None:
        """Close the transport, so that the client reconnects; a DISCONNECT would end it (P2)."""
        transport = self._server.connection(connection.transport_id)
        if transport is not None:
            transport.abandon()
