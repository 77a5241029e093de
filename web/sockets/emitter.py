"""Queues events on sockets: straight on the queues of Engine.IO.

An entry of the log is already the JSON array of a Socket.IO event packet, so one Engine.IO packet
is built per entry and shared by all sockets, and its bytes are never decoded on the way to a
WebSocket; `Server.emit` would decode and encode them again for each.
`tests/unit/web/sockets/test_emitter.py` proves that the client gets the same.
"""

from collections.abc import Collection

from web.sockets.connections import Connection, Connections
from web.sockets.engineio_internals import EventPacket, SocketServer
from web.sockets.slow_clients import SlowClients


class Emitter:
    """Delivers encoded events to the sockets of this process."""

    def __init__(
        self, server: SocketServer, connections: Connections, slow_clients: SlowClients
    ) -> None:
        self._server = server
        self._connections = connections
        self._slow_clients = slow_clients

    def deliver(self, sids: Collection[str], entry: bytes) -> None:
        """Queue the event for each socket. Never waits, so it may be called under any lock."""
        packet = EventPacket(entry)
        for sid in sids:
            connection = self._connections.get(sid)
            # Nothing more after the first loss: the client would take what follows as complete.
            if connection is not None and not connection.closed:
                self._slow_clients.enqueue(connection, packet)

    def close(self, connection: Connection) -> None:
        """Close the transport, so that the client reconnects; a DISCONNECT would end it (P2)."""
        self._server.abandon(connection.transport_id)
