"""An export that cannot be finished breaks its connection, so that nobody takes it for whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from shared.errors import DatabaseUnavailable
from web.api.http.sessions.messages import _unless_broken


class Connection:
    def __init__(self) -> None:
        self.cuts = 0

    def cut(self) -> None:
        self.cuts += 1


def failing() -> Iterator[bytes]:
    yield b"first"
    raise DatabaseUnavailable


def test_a_file_that_breaks_off_cuts_its_connection() -> None:
    connection = Connection()
    assert list(_unless_broken(failing(), cast("Any", connection))) == [b"first"]
    assert connection.cuts == 1


def test_a_whole_file_does_not() -> None:
    connection = Connection()
    assert list(_unless_broken([b"a", b"b"], cast("Any", connection))) == [b"a", b"b"]
    assert connection.cuts == 0
