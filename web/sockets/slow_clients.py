"""Decides that a client reads too slowly, and closes its socket (R31).

What a client has not read yet waits on the queue of its socket. A queue that is full, in packets or
in bytes, means that the client reads less than its sessions produce. Its socket is closed: the
client reconnects and resumes, and `ReconnectBackoff` makes it wait the longer, the more often in a
row that happens.
"""

import logging
import threading

from shared.metrics import web as metrics
from web.sockets.connections import Connection
from web.sockets.engineio_internals import EventPacket, SocketServer
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)


class SlowClients:
    """Queues packets on sockets, and closes the sockets whose queue is full."""

    def __init__(
        self, server: SocketServer, queue_max: int, unsent_max: int, backoff: ReconnectBackoff
    ) -> None:
        """`queue_max`, `unsent_max`: packets and bytes that may wait for one socket. `backoff`
        counts the sockets that are closed here."""
        self._server = server
        self._queue_max = queue_max
        self._unsent_max = unsent_max
        self._backoff = backoff

    def enqueue(self, connection: Connection, packet: EventPacket) -> None:
        """Queue the packet for this socket, or close it. Never waits."""
        queued = self._server.enqueue(
            connection.transport_id, packet, self._queue_max, self._unsent_max
        )
        if not queued:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        connection.closed = True
        self._backoff.closed_slow(connection.feeds)
        metrics.TOO_SLOW.labels("socket").inc()
        log.warning("socket.too_slow sid=%s queue_max=%s", connection.sid, self._queue_max)
        threading.Thread(
            target=self._server.abandon,
            args=(connection.transport_id,),
            name="close-slow",
            daemon=True,
        ).start()
