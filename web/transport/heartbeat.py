"""One thread that pings all Engine.IO connections and closes those that do not answer."""

import logging
import threading
import time

from web.sockets.engineio_internals import SocketServer
from web.transport.websocket_loop import A_TURN, WebSocketLoop

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds


class Heartbeat:
    """Start once."""

    def __init__(self, server: SocketServer, wires: WebSocketLoop) -> None:
        self._server = server
        self._wires = wires

    def start(self) -> None:
        """Begin to beat."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            self.beat(time.time())
            self._wires.cut_late(time.monotonic())

    def beat(self, now: float) -> None:
        """`now`: as of time.time()."""
        for number, transport in enumerate(self._server.connections(), 1):
            if number % A_TURN == 0:
                time.sleep(0)
            try:
                transport.beat(now)
            except Exception:  # the edge of the loop: one connection must not stop the others
                log.exception("heartbeat.failed transport=%s", transport.sid)
