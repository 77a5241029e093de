"""Puts events on sockets: straight on the queues of Engine.IO.

An entry of the log is already the JSON array of a Socket.IO event packet, so one Engine.IO packet
is built per entry and shared by all sockets; a normal emit would decode and encode it again for
each. `tests/unit/web/sockets/test_emitter.py` pins that the client gets the same.
"""

import logging
import threading
from collections.abc import Collection, Iterable
from typing import Any

from engineio.packet import MESSAGE
from engineio.packet import Packet as TransportPacket

from shared.protocol.events import NAMESPACE
from web.sockets.connections import Connection, Connections
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)

EVENT_OF_NAMESPACE = f"2{NAMESPACE},"


class Emitter:
    """Delivers encoded events; sockets whose queue is full are closed, since they can resume."""

    def __init__(
        self,
        server: Any,
        connections: Connections,
        queue_max: int,
        pacing: ReconnectBackoff | None = None,
    ) -> None:
        """`server` is a `socketio.Server`."""
        self._server = server
        self._connections = connections
        self._queue_max = queue_max
        self.pacing = pacing or ReconnectBackoff()
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
        if transport is None:
            return
        if transport.upgraded:
            transport.wire.cut()  # what waits for a slow client must not be waited for
        else:
            transport.close(wait=False, abort=True, reason=self._server.reason.TRANSPORT_CLOSE)

    def transports(self) -> Collection[str]:
        """The ids of the open Engine.IO connections."""
        sockets: Collection[str] = self._server.eio.sockets
        return sockets
