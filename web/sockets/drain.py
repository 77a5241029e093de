"""Closes the connections of a process that stops: spread over a short time, after all answers."""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from web.sockets.engineio_internals import SocketServer
from web.sockets.request_queue import RequestQueue

log = logging.getLogger(__name__)

# Seconds between two. Each costs another process 5 ms of CPU for the handshake, a subscription and
# what it reads; those that wait for their turn are still served.
PER_SOCKET = 0.04
FLUSH = 0.5  # seconds for what is queued on sockets to be sent
POLL_EVERY = 0.02  # seconds


class Drain:
    """Transports are closed, as by a lost network: a DISCONNECT would end clients for good (P2)."""

    def __init__(
        self,
        server: SocketServer,
        requests: RequestQueue,
        within: timedelta,
        close_others: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`within`: all is closed by then, answered or not. `close_others(seconds)` closes within
        that time what is connected without a socket."""
        self._close_others = close_others
        self._server = server
        self._requests = requests
        self._within = within.total_seconds()
        self.stopping = False  # clients may still come, on HTTP connections that were kept alive

    def run(self) -> None:
        """Close all transports and wait until what they had queued was sent."""
        self.stopping = True
        deadline = time.monotonic() + self._within
        spread = min(self._within, PER_SOCKET * len(self._server.connection_ids()))
        due = [
            (time.monotonic() + random.uniform(0, spread), transport_id)
            for transport_id in list(self._server.connection_ids())
        ]
        closers = [
            threading.Thread(target=self._close_at, args=(at, transport_id, deadline), daemon=True)
            for at, transport_id in due
        ]
        for closer in closers:
            closer.start()
        self._close_others(self._within)
        for closer in closers:
            closer.join()
        time.sleep(FLUSH if closers else 0)
        log.info("web.drained sockets=%s", len(closers))

    def _close_at(self, at: float, transport_id: str, deadline: float) -> None:
        time.sleep(max(0.0, at - time.monotonic()))
        while self._is_busy(transport_id) and time.monotonic() < deadline:
            time.sleep(POLL_EVERY)
        transport = self._server.connection(transport_id)
        if transport is not None:
            transport.close_as_lost()

    def _is_busy(self, transport_id: str) -> bool:
        sid = self._server.sid(transport_id)
        return sid is not None and not self._requests.is_idle(sid)
