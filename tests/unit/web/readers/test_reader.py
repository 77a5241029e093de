"""What waits for a reader, and how long it gathers when there are many readers."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.unit.web.readers.test_stream import ME
from web.readers.place import start_of
from web.readers.reader import RunReader
from web.readers.readers import Readers
from web.sockets.connections import Connection, Connections
from web.sockets.reconnect_backoff import ReconnectBackoff


def made(rest: float) -> RunReader:
    connection = Connection("sid", "", "me", "default", receives_own_aborts=True)
    limits: Any = {"most_chunks": 10, "most_bytes": 1000}
    return RunReader(connection, "r", ME, cut=lambda: None, rest=lambda: rest, **limits)


def test_frames_gather_while_a_reader_rests() -> None:
    reader = made(0.5)
    for seconds, frame in ((0.1, b"a"), (0.3, b"b")):
        threading.Timer(seconds, reader.offer, (frame, start_of("r"))).start()
    assert list(reader.take(5)) == [b"a", b"b"]


def test_a_reader_that_is_ended_while_it_rests_gets_nothing() -> None:
    reader = made(0.2)
    threading.Timer(0.05, reader.offer, (b"secret", start_of("r"))).start()
    threading.Timer(0.1, reader.end).start()
    assert list(reader.take(5)) == []


@pytest.mark.parametrize(("count", "rest"), [(1, 0.0), (49, 0.0), (100, 0.02), (1000, 0.2)])
def test_many_readers_rest_so_that_all_together_take_half_a_core(count: int, rest: float) -> None:
    readers = Readers(
        Connections(), ReconnectBackoff(), per_owner=2000, most_chunks=10, most_bytes=1000
    )
    for number in range(count):
        reader = readers.add(ME, "default", f"r{number}", cut=lambda: None)
    assert readers.rest() == pytest.approx(rest)
    assert reader._rest() == readers.rest()
