"""The body of a reader's response: its deadlines, and how it ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from shared.roles import Role
from web.access.principal import Credential, Kind, Principal
from web.readers.frames import OPENED
from web.readers.place import start_of
from web.readers.reader import RunReader
from web.readers.replay import Start
from web.readers.stream import EventStream
from web.server.http_server import ANSWER_WITHIN
from web.sockets.connections import Connection

ME = Principal("me", Role.USER, Credential(Kind.USER))


class Stand:
    """A reader of a run and its stream; `deadlines` and `cuts` record what its connection gets."""

    def __init__(self) -> None:
        self.deadlines: list[float | None] = []
        self.cuts = 0
        connection = Connection("sid", "", "me", "default", receives_own_aborts=True)
        self.reader = RunReader(connection, "r", ME, most_chunks=10, most_bytes=1000, cut=self._cut)
        unused: Any = SimpleNamespace(remove=lambda *_: None)
        start = Start([], start_of("r"))
        self.stream = EventStream(
            self.reader,
            start,
            opening=unused,
            readers=unused,
            membership=unused,
            within=self.deadlines.append,
        )

    def _cut(self) -> None:
        self.cuts += 1


def test_only_a_piece_that_is_being_sent_has_a_deadline() -> None:
    stand = Stand()
    assert next(stand.stream) == OPENED
    stand.reader.offer(b"x" * 500, start_of("r"))
    assert next(stand.stream) == b"x" * 500
    waiting, first, waiting_again, second = stand.deadlines
    assert waiting is waiting_again is None
    assert first is not None
    assert second is not None
    assert ANSWER_WITHIN <= first < second


def test_a_reader_whose_token_ended_gets_nothing_that_waits() -> None:
    stand = Stand()
    next(stand.stream)
    stand.reader.offer(b"secret", start_of("r"))
    stand.reader.end()
    assert list(stand.stream) == []
    assert stand.cuts == 1
    stand.reader.offer(b"later", start_of("r"))
    assert list(stand.reader.take(0)) == []


def test_a_reader_that_is_closed_gets_what_waits() -> None:
    stand = Stand()
    next(stand.stream)
    stand.reader.offer(b"last", start_of("r"))
    stand.reader.close()
    assert list(stand.stream) == [b"last"]
    assert stand.cuts == 0
