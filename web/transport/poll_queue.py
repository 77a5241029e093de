"""The packets that wait for a client that polls, and how many bytes they are.

What a poll has taken still counts until its answer was sent: a client that does not read its
answers holds their memory as one that does not poll.
"""

import queue
from collections.abc import Callable

from web.sockets.engineio_internals import EventPacket, Packet

OBJECTS = 200  # bytes that a packet takes beside its text


class PollQueue(queue.Queue[Packet | None]):
    """Replaces the queue of an Engine.IO connection. `count(size)` is called with each change."""

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__()
        self.bytes_held = 0
        self._bytes_taken = 0
        self._count = count

    def _put(self, item: Packet | None) -> None:
        self.queue.append(item)
        self._change(_size(item))

    def _get(self) -> Packet | None:
        item: Packet | None = self.queue.popleft()
        self._bytes_taken += _size(item)
        return item

    def sent(self) -> None:
        """What was taken has reached the client, or never will."""
        taken, self._bytes_taken = self._bytes_taken, 0
        self._change(-min(taken, self.bytes_held))

    def stop_counting(self) -> None:
        """The connection is over, or its WebSocket counts."""
        self._change(-self.bytes_held)
        self._count = _nothing

    def _change(self, size: int) -> None:
        self.bytes_held += size
        self._count(size)


def _size(packet: Packet | None) -> int:
    if packet is None:
        return 0
    if isinstance(packet, EventPacket):
        return len(packet.utf8) + OBJECTS
    return OBJECTS + (len(packet.data) if isinstance(packet.data, str | bytes) else 0)


def _nothing(_size: int) -> None:
    pass
