"""The body of a response of unknown length, each piece of which has to be read in time."""

from collections.abc import Callable, Iterator

from web.server.http_server import ANSWER_WITHIN, RATE


class TimedBody:
    """Iterate over it once. Other answers have one deadline for the whole."""

    def __init__(self, pieces: Iterator[bytes], within: Callable[[float | None], None]) -> None:
        """`within(seconds)`: the client has so long to read the next piece; None: no limit."""
        self._pieces = pieces
        self._within = within

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._within(None)  # what was given before is read
        piece = next(self._pieces)
        self._within(ANSWER_WITHIN + len(piece) / RATE)
        return piece

    def close(self) -> None:
        """The response is over, or the client has left."""
