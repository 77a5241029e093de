"""An Engine.IO connection that costs nothing but its objects while nothing happens.

python-engineio has three threads per WebSocket: one reads, one writes, one waits for the next ping.
Here `Wires` read and write for all, and `Heartbeat` pings all. Polling is as it was.
`tests/unit/web/transport/test_engineio_socket.py` pins what is used of python-engineio's private
parts.
"""

import logging
import time
from functools import partial
from typing import Any

from shared import runtime
from web.sockets.engineio_internals import (
    NOOP,
    PING,
    PONG,
    UPGRADE,
    EngineioConnection,
    Packet,
    SocketIsClosedError,
    SocketServer,
    UnknownPacketError,
)
from web.transport.websocket import WebSocket
from web.transport.websocket_frames import frame
from web.transport.websocket_loop import WebSocketLoop

log = logging.getLogger(__name__)

PONG_OF_CLIENT = str(PONG)


def install(server: SocketServer, wires: WebSocketLoop) -> None:
    """Have the server make its connections so; build it with `monitor_clients=False`, since
    `Heartbeat` pings them. There is one server per process."""
    server.replace_connections(partial(EngineioSocket, wires))


def framed(packet: Packet) -> bytes:
    """The packet's WebSocket frame, built once for all who get it."""
    built: bytes | None = getattr(packet, "frame", None)
    if built is None:
        built = packet.frame = frame(packet.encode())
    return built


class Outbox:
    """Stands for a transport's queue once its WebSocket is open. The order is kept."""

    __slots__ = ("_wire",)

    def __init__(self, wire: WebSocket) -> None:
        self._wire = wire

    def put(self, packet: Packet | None) -> None:
        """Send it soon; None: close after what was put before."""
        if packet is None:
            self._wire.finish()
        else:
            self._wire.put(framed(packet))

    def qsize(self) -> int:
        """How many packets nobody has tried to send yet."""
        return self._wire.waiting()

    def join(self) -> None:
        """Nobody here waits for a client."""


class EngineioSocket(EngineioConnection):
    """One Engine.IO connection, polling or WebSocket."""

    def __init__(self, wires: WebSocketLoop, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        self.wire: WebSocket | None = None
        self.ping_at = 0.0  # time.time()
        self._wires = wires
        self._probed = False

    # -- pings -------------------------------------------------------------------------------

    def schedule_ping(self) -> None:
        """The client has answered the last one."""
        if self.last_ping:
            self.last_ping = None
            self.ping_at = time.time() + self.server.ping_interval

    def beat(self, now: float) -> None:
        """Ping it if it is time, close it if it does not answer. Called every second or so."""
        if self.closed:
            self.forget()
        elif self.last_ping:
            self.check_ping_timeout()
        elif now >= self.ping_at and not self.closing:
            self.last_ping = now
            self.send(Packet(PING))

    # -- WebSocket ---------------------------------------------------------------------------

    def open_websocket(self, environ: Any, start_response: Any) -> Any:
        """The request of a WebSocket: of a new connection, or of one that polls until now."""
        if self.upgraded or self.upgrading or self.closed:
            return self.refuse()
        self.upgrading, sock = True, None
        try:
            sock = runtime.accept_websocket(environ, start_response)
        finally:
            self.upgrading = sock is not None
        if sock is None:
            return self.refuse()
        self.wire = self._wires.open(sock, self, self.server.max_http_buffer_size)
        if self.connected:
            self._wires.end_within(self.wire, self.server.ping_interval + self.server.ping_timeout)
        else:
            self.connected = True
            self._speak(self.wire)
        self.wire.resume()
        return []

    def _speak(self, wire: WebSocket) -> None:
        """From now on everything goes over the WebSocket, first what waits."""
        waiting, self.queue = self.queue, Outbox(wire)
        self.upgraded, self.upgrading = True, False
        while not waiting.empty():
            self.queue.put(waiting.get(block=False))

    def heard(self, wire: WebSocket, messages: list[str | bytes], *, over: bool) -> bool:
        """See `Owner`."""
        if self.upgraded and messages == [PONG_OF_CLIENT] and not over:
            self.schedule_ping()
            return True
        self.server.start_background_task(self._serve, wire, messages, over)
        return False

    def _serve(self, wire: WebSocket, messages: list[str | bytes], over: bool) -> None:
        for message in messages:
            if not self._serve_one(wire, message):
                wire.finish()
                over = True
                break
        if over:
            self._lost(wire)
        wire.resume()

    def _serve_one(self, wire: WebSocket, message: str | bytes) -> bool:
        """False if the connection cannot go on."""
        try:
            packet = Packet(encoded_packet=message)
            if not self.upgraded:
                return self._probe(wire, packet)
            self.receive(packet)
        except UnknownPacketError:
            pass
        except SocketIsClosedError:
            return False
        except Exception:  # the edge: whatever a client sends harms only its own connection
            log.exception("socket.failed transport=%s", self.sid)
            return False
        return True

    def _probe(self, wire: WebSocket, packet: Packet) -> bool:
        """A connection that polls tries its WebSocket first; False if that has failed."""
        if not self._probed and (packet.packet_type, packet.data) == (PING, "probe"):
            self._probed = True
            wire.put(framed(Packet(PONG, "probe")))
            self.queue.put(Packet(NOOP))  # ends the poll
            return True
        if self._probed and packet.packet_type == UPGRADE:
            self._wires.stays(wire)
            self._speak(wire)
            return True
        return False

    def _lost(self, wire: WebSocket) -> None:
        if wire is not self.wire:
            return  # it was tried and given up
        if not self.upgraded:  # it goes on polling
            self.wire, self.upgrading, self._probed = None, False, False
            return
        self.close_as_lost()
        self.forget()

    def abandon(self) -> None:
        """Break the connection now, whatever is queued for a client that does not read."""
        if self.upgraded and self.wire is not None:
            self.wire.cut()
        else:
            self.close_as_lost()
