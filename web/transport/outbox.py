"""What replaces an Engine.IO connection's queue once it has a WebSocket."""

from web.sockets.engineio_internals import EventPacket, Packet
from web.transport.websocket import WebSocket
from web.transport.websocket_frames import frame, text_frame


def framed(packet: Packet) -> bytes:
    """The packet's WebSocket frame, built once for all sockets that get it."""
    built: bytes | None = getattr(packet, "frame", None)
    if built is None:
        is_event = isinstance(packet, EventPacket)
        built = text_frame(packet.utf8) if is_event else frame(packet.encode())
        packet.frame = built
    return built


class Outbox:
    """Replaces the connection's queue once its WebSocket is open. The order is kept."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    def put(self, packet: Packet | None) -> None:
        """Send it soon; None: close, after what was put before."""
        if packet is None:
            self._websocket.finish()
        else:
            self._websocket.put(framed(packet))

    def qsize(self) -> int:
        """How many packets no attempt was made to send yet."""
        return self._websocket.waiting()

    def unsent_bytes(self) -> int:
        """How many bytes were not sent yet."""
        return self._websocket.unsent

    def join(self) -> None:
        """Return at once: closing a connection does not wait for its client."""
