"""An Engine.IO connection that costs nothing but its objects while nothing happens.

python-engineio has three threads per WebSocket: one reads, one writes, one waits for the next ping.
Here `WebSocketLoop` reads and writes for all, and `Heartbeat` pings all. Polling is as it was.
`tests/unit/web/transport/test_engineio_socket.py` proves that clients see no difference.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared import runtime
from web.server.client_faults import ClientFaults
from web.server.connection_table import ClientConnection, ConnectionTable
from web.server.http_server import ADDRESS, CONNECTION
from web.sockets.engineio_internals import (
    MESSAGE,
    NOOP,
    PING,
    PONG,
    UPGRADE,
    Malformed,
    Packet,
    SocketIsClosedError,
    SocketServer,
    UnknownPacketError,
    parse_packet,
    screen_message,
)
from web.transport.outbox import Outbox, framed
from web.transport.poll_queue import PollQueue
from web.transport.polling import PollingConnection
from web.transport.websocket import KNOWN, WebSocket
from web.transport.websocket_loop import WebSocketLoop

log = logging.getLogger(__name__)

PONG_OF_CLIENT = str(PONG)
CONNECT_WITHIN = 20.0  # seconds from the first request to a CONNECT with a valid token
ANSWERS_MAX = 100  # packets that may wait for a client beside what is too much in bytes
CLOSE_AFTER_REFUSAL = 3.0  # seconds for a client to try another token


Screen = Callable[[object], str | None]  # see `screen_message`


@dataclass(frozen=True)
class Common:
    """What the connections of a process share."""

    loop: WebSocketLoop
    faults: ClientFaults
    strangers: ConnectionTable  # those of them that are not authenticated
    unsent_max: int  # bytes that may wait for one of them
    screen: Screen = screen_message


def install(server: SocketServer, common: Common) -> None:
    """Make the server's connections `EngineioSocket`s. Build the server with
    `monitor_clients=False`, since `Heartbeat` does that. There is one server per process."""
    server.replace_connections(partial(EngineioSocket, common))
    server.note_refusals(common.faults.note)
    server.on_new_connection(partial(_give_place, server, common.strangers))


def _give_place(
    server: SocketServer, strangers: ConnectionTable, transport_id: str, environ: dict[str, Any]
) -> None:
    """A new connection takes the place of the oldest one that has no token, if there are many."""
    connection = server.connection(transport_id)
    if not isinstance(connection, EngineioSocket):
        return

    def cut() -> None:
        connection.abandon()
        connection.forget()

    place = strangers.admit(str(environ.get(ADDRESS, "")), cut)
    if place is not None:
        connection.take_place(place)


class EngineioSocket(PollingConnection):
    """One Engine.IO connection, polling or WebSocket."""

    def __init__(self, common: Common, server: Any, sid: str) -> None:
        super().__init__(server, sid, common.faults, self._count)
        self._screen = common.screen
        self._unsent_max = common.unsent_max
        self._place: ClientConnection | None = None  # among those without a token
        self._connect_by = time.monotonic() + CONNECT_WITHIN
        self.websocket: WebSocket | None = None
        self.ping_at = 0.0  # time.monotonic()
        self._loop = common.loop
        self._probed = False

    # -- who it is ---------------------------------------------------------------------------

    def take_place(self, place: ClientConnection) -> None:
        """It has this place among the connections without a token, until one comes."""
        self._place = place

    def mark_authenticated(self) -> None:
        """A token that came over it was valid."""
        self.is_authenticated = True
        self._allowed.widen(*KNOWN)
        self._leave_place()
        if self.websocket is not None:
            self.websocket.mark_authenticated(self.message_limit())

    def _leave_place(self) -> None:
        if self._place is not None:
            self._place.remove()
            self._place = None

    def mark_refused(self) -> None:
        """A token that came over it was wrong: it is closed soon, unless a valid one comes."""
        self._connect_by = time.monotonic() + CLOSE_AFTER_REFUSAL

    # -- pings -------------------------------------------------------------------------------

    def schedule_ping(self) -> None:
        """The client has answered the last ping: send the next after the interval."""
        if self.last_ping:
            self.last_ping = None
            self.ping_at = time.monotonic() + self.server.ping_interval

    def beat(self, now: float) -> None:
        """Ping it if that is due, close it if it does not answer. Called about every second."""
        if self.closed:
            self.forget()
        elif not self.is_authenticated and time.monotonic() > self._connect_by:
            self._faults.note("no_connect")
            self.abandon()
        elif self.last_ping:
            self.check_ping_timeout()
        elif now >= self.ping_at and not self.closing:
            self.last_ping = now
            self.send(Packet(PING))

    # -- WebSocket ---------------------------------------------------------------------------

    def open_websocket(self, environ: Any, start_response: Any) -> Any:
        """Serve the request of a WebSocket: of a new connection, or of one that polls so far."""
        if self.upgraded or self.upgrading or self.closed:
            return self.refuse()
        self.upgrading, sock = True, None
        try:
            sock = runtime.accept_websocket(environ, start_response)
        finally:
            self.upgrading = sock is not None
        if sock is None:
            return self.refuse()
        client = environ.pop(CONNECTION, None)
        self.websocket = self._loop.open(sock, self, self.message_limit(), client)
        if client is not None:
            client.within(None)
        if self.is_authenticated:
            self.websocket.mark_authenticated(self.message_limit())
        if self.connected:
            self._loop.end_within(
                self.websocket, self.server.ping_interval + self.server.ping_timeout
            )
        else:
            self.connected = True
            self._use(self.websocket)
        self.websocket.resume()
        return []

    def _use(self, websocket: WebSocket) -> None:
        """Send everything over the WebSocket from now on, first what is queued."""
        waiting, self.queue = self.queue, Outbox(websocket)
        self.upgraded, self.upgrading = True, False
        while not waiting.empty():
            self.queue.put(waiting.get(block=False))
        waiting.stop_counting()

    def received(self, websocket: WebSocket, messages: list[str | bytes], *, closed: bool) -> bool:
        """See `Owner`."""
        if self.upgraded and messages == [PONG_OF_CLIENT] and not closed:
            self.schedule_ping()
            return True
        self.server.start_background_task(self._serve, websocket, messages, closed)
        return False

    def _serve(self, websocket: WebSocket, messages: list[str | bytes], closed: bool) -> None:
        for message in messages:
            if not self._serve_one(websocket, message):
                websocket.finish()
                closed = True
                break
        if closed:
            self._lost(websocket)
        websocket.resume()

    def _serve_one(self, websocket: WebSocket, message: str | bytes) -> bool:
        """False if the connection cannot go on."""
        if self.closed:
            return False
        try:
            packet = parse_packet(message)
            if not self.upgraded:
                return self._probe(websocket, packet)
            self.receive(packet)
        except Malformed:
            return False
        except UnknownPacketError:
            pass
        except SocketIsClosedError:
            return False
        except Exception:  # the edge: whatever a client sends harms only its own connection
            log.exception("socket.failed transport=%s", self.sid)
            return False
        return True

    def receive(self, pkt: Packet) -> None:
        """Handle a packet of the client, polling or not; nothing that follows the packet with which
        it closed the connection. Raises Malformed."""
        if self.closed or self.closing:
            return
        try:
            answer = self._screen(pkt.data) if pkt.packet_type == MESSAGE else None
        except Malformed:
            self._faults.note("malformed_packet")
            raise
        if answer is None:
            super().receive(pkt)
        elif answer:
            self.send(Packet(MESSAGE, answer))

    def send(self, pkt: Packet) -> None:
        """Queue a packet for the client. One that asks and does not read the answers is closed;
        a few may follow one large event."""
        super().send(pkt)
        many = self.queue.qsize() > ANSWERS_MAX and self.unsent_bytes() > self._unsent_max
        if many and not self.closed:
            self._faults.note("answers_unread")
            self.abandon()

    def unsent_bytes(self) -> int:
        """Bytes that wait to be sent to its client."""
        if self.upgraded and self.websocket is not None:
            return self.websocket.unsent
        return self.held

    @property
    def held(self) -> int:
        """Bytes that are kept for it while it polls."""
        return self.queue.bytes_held if isinstance(self.queue, PollQueue) else 0

    def _count(self, size: int) -> None:
        self._loop.count_held(size)
        self._loop.hold(self, self.held > 0)

    def _probe(self, websocket: WebSocket, packet: Packet) -> bool:
        """Try the WebSocket of a connection that polls; False if that has failed."""
        if not self._probed and (packet.packet_type, packet.data) == (PING, "probe"):
            self._probed = True
            websocket.put(framed(Packet(PONG, "probe")))
            self.queue.put(Packet(NOOP))  # ends the poll
            return True
        if self._probed and packet.packet_type == UPGRADE:
            self._loop.keep(websocket)
            self._use(websocket)
            return True
        return False

    def _lost(self, websocket: WebSocket) -> None:
        if websocket is not self.websocket:
            return  # it was tried, and another one since
        if not self.upgraded:  # it goes on polling
            self.websocket, self.upgrading, self._probed = None, False, False
            return
        self.close_as_lost()
        self.forget()

    def close(self, wait: bool = True, abort: bool = False, reason: Any = None) -> None:
        """See `EngineioConnection.close`."""
        super().close(wait, abort, reason)
        self._leave_place()
        if isinstance(self.queue, PollQueue):
            self.queue.stop_counting()

    def abandon(self) -> None:
        """Break the connection now, whatever is queued for a client that does not read."""
        if self.upgraded and self.websocket is not None:
            self.websocket.cut()
        else:
            self.close_as_lost()
