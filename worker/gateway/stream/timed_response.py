"""Reads a response's head and body within one deadline. No input or output of its own.

Problem: the timeout of a socket starts anew with each read, so a gateway that sends a byte now and
then is never late. Idea: before each read the socket gets the time that remains as its timeout.
Invariant: until `Deadline.at` is None, no read ends later than it.
"""

import http.client
import io
import time
from typing import Any


class Deadline:
    """When an exchange has to be over; `at` is monotonic time, None for never."""

    def __init__(self, seconds: float | None = None) -> None:
        self.at: float | None = None
        if seconds is not None:
            self.begin(seconds)

    def begin(self, seconds: float) -> None:
        """Let it be over in so many seconds from now."""
        self.at = time.monotonic() + seconds

    def limit(self, sock: Any) -> None:
        """Give the socket the remaining time for its next operation. Raises TimeoutError if there
        is none."""
        if self.at is None:
            return
        remaining = self.at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the answer took too long")
        sock.settimeout(remaining)


class TimedResponse(http.client.HTTPResponse):
    """A response whose reads have a common deadline. `functools.partial(TimedResponse, deadline)`
    is a `response_class` for connections of `http.client`."""

    def __init__(self, deadline: Deadline, sock: Any, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = io.BufferedReader(_TimedSocket(self.fp.detach(), sock, deadline))


class _TimedSocket(io.RawIOBase):
    """The raw file of a socket, with the deadline."""

    def __init__(self, raw: Any, sock: Any, deadline: Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._deadline.limit(self._sock)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
