"""An Engine.IO connection while its client polls: what waits for it, and what it may send.

As in the reference server, a client has one GET and one POST at a time; a second one beside it ends
the connection. So a slow answer holds back the next request, and nothing piles up.
"""

import queue
import time
from collections.abc import Callable
from typing import Any

from web.server.client_faults import ClientFaults
from web.server.http_server import CONNECTION
from web.sockets.bucket import Bucket
from web.sockets.engineio_internals import (
    EngineioConnection,
    Malformed,
    Packet,
    QueueEmpty,
    SocketIsClosedError,
    parse_packet,
)
from web.transport.poll_queue import PollQueue
from web.transport.websocket import STRANGER

SEPARATOR = "\x1e"  # between the packets of a request
PACKETS_OF_POST = 1000
PACKETS_OF_POLL = 16  # the Python client takes no more in one answer
STRANGER_BYTES = 1 << 16  # of a message, before a valid token came
LONGEST_DELAY = 10.0  # seconds


class PollingConnection(EngineioConnection):
    """The polling side; `EngineioSocket` has the rest."""

    def __init__(
        self,
        server: Any,
        sid: str,
        faults: ClientFaults,
        count: Callable[[int], None],
    ) -> None:
        """`count` is called with how many more bytes are kept for the client."""
        super().__init__(server, sid)
        self.queue = PollQueue(count)
        self.is_authenticated = False
        self._faults = faults
        self._allowed = Bucket(*STRANGER)  # packets of the client, while it polls
        self._busy: set[str] = set()  # methods of the requests that are being answered

    # -- requests ----------------------------------------------------------------------------

    def handle_get_request(self, environ: Any, start_response: Any) -> Any:
        """Answer a poll, or open a WebSocket."""
        if _asks_for_websocket(environ) or self.upgrading or self.upgraded:
            return super().handle_get_request(environ, start_response)
        if not self.connected:  # a WebSocket was asked for, by halves
            self.close_as_lost()
            return self.refuse()
        if not self._begin("GET", environ, self._poll_sent):
            return self.refuse()
        return super().handle_get_request(environ, start_response)

    def handle_post_request(self, environ: Any) -> None:
        """Receive the packets of a POST. Raises Malformed, SocketIsClosedError."""
        if not self._begin("POST", environ, lambda: None):
            raise Malformed
        packets = self._packets(environ)
        for packet in packets:
            if self.closed:
                raise SocketIsClosedError
            self.receive(parse_packet(packet))
        time.sleep(min(self._allowed.take(len(packets)), LONGEST_DELAY))

    def _begin(self, method: str, environ: Any, answered: Callable[[], None]) -> bool:
        """Whether this is the only request of its kind; else the connection is closed."""
        connection = environ.get(CONNECTION)
        if connection is None:
            return True
        if method in self._busy:
            self._faults.note("overlapping_requests")
            self.close_as_lost()
            return False
        self._busy.add(method)

        def done() -> None:
            self._busy.discard(method)
            answered()

        connection.when_answered(done)
        return True

    def _poll_sent(self) -> None:
        if isinstance(self.queue, PollQueue):
            self.queue.sent()

    def _packets(self, environ: Any) -> list[str]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self.message_limit():
            self._faults.note("too_large")
            raise Malformed
        try:
            body: bytes = environ["wsgi.input"].read(length)
            packets = body.decode().split(SEPARATOR)
        except (OSError, UnicodeDecodeError):
            raise Malformed from None
        if len(body) < length or len(packets) > PACKETS_OF_POST:
            raise Malformed
        return packets

    def message_limit(self) -> int:
        """Bytes that the client may send at once: few before a valid token came."""
        most: int = self.server.max_http_buffer_size
        return most if self.is_authenticated else min(most, STRANGER_BYTES)

    def poll(self) -> list[Packet]:
        """The queued packets, as soon as there is one: at most as many as clients take at once."""
        try:
            first = self.queue.get(timeout=self.server.ping_interval + self.server.ping_timeout)
        except queue.Empty:
            raise QueueEmpty from None
        packets = [] if first is None else [first]
        while first is not None and len(packets) < PACKETS_OF_POLL:
            try:
                packet = self.queue.get(block=False)
            except queue.Empty:
                break
            if packet is None:
                self.queue.put(None)
                break
            packets.append(packet)
        return packets


def _asks_for_websocket(environ: Any) -> bool:
    connection = str(environ.get("HTTP_CONNECTION", "")).lower().split(",")
    return (
        "upgrade" in map(str.strip, connection)
        and str(environ.get("HTTP_UPGRADE", "")).lower() == "websocket"
    )
