"""Bytes that are kept for a client that polls are counted until it has them."""

import queue

import pytest

from shared.protocol.events import encode
from web.sockets.engineio_internals import MESSAGE, NOOP, EventPacket, Packet
from web.transport.poll_queue import OBJECTS, PollQueue


def test_what_is_taken_counts_until_it_was_sent() -> None:
    changes: list[int] = []
    waiting = PollQueue(changes.append)
    event = EventPacket(encode("a", {"text": "x" * 100}))
    for packet in (Packet(MESSAGE, "y" * 1000), event, Packet(NOOP), None):
        waiting.put(packet)
    whole = 1000 + len(event.utf8) + 3 * OBJECTS
    assert (waiting.bytes_held, sum(changes)) == (whole, whole)
    waiting.get()
    waiting.get()
    assert waiting.bytes_held == whole
    waiting.sent()
    assert (waiting.bytes_held, sum(changes)) == (OBJECTS, OBJECTS)


def test_after_the_end_nothing_counts() -> None:
    changes: list[int] = []
    waiting = PollQueue(changes.append)
    waiting.put(Packet(MESSAGE, "x"))
    waiting.get()
    waiting.stop_counting()
    waiting.sent()
    waiting.put(Packet(NOOP))
    assert sum(changes) == 0
    with pytest.raises(queue.Empty):
        waiting.get(block=False) and waiting.get(block=False)
