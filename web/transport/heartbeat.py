"""Pings all Engine.IO connections from one thread, and closes those that do not answer."""

import logging
import time

from shared.service import Service, periodic
from web.sockets.engineio_internals import SocketServer
from web.transport.websocket_loop import YIELD_AFTER, WebSocketLoop

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds


class Heartbeat:
    """Looks at every connection once a second."""

    def __init__(self, server: SocketServer, loop: WebSocketLoop) -> None:
        """`server`: one whose connections are `EngineioSocket`s."""
        self._server = server
        self._loop = loop
        self.service: Service = periodic("heartbeat", self._beat_and_cut, EVERY)

    def _beat_and_cut(self) -> None:
        now = time.monotonic()
        self.beat(now)
        self._loop.cut_late(now)

    def beat(self, now: float) -> None:
        """Ping what is due, close what is late. `now`: as of time.monotonic()."""
        for number, connection in enumerate(self._server.connections(), 1):
            if number % YIELD_AFTER == 0:
                time.sleep(0)
            try:
                connection.beat(now)
            except Exception:  # the edge of the loop: one connection must not stop the others
                log.exception("heartbeat.failed transport=%s", connection.sid)
