"""Decodes the framing of an HTTP/1.1 response body: chunked, of a length, until closed. Pure."""

import re
from typing import Protocol

from shared.errors import StreamBroken

LINE_MOST = 4096  # bytes of a chunk's first line
CRLF = b"\r\n"
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class Body(Protocol):
    """A decoder: `feed` it everything that the connection brings after the head."""

    over: bool  # the body is complete
    fault: StreamBroken | None  # its framing is invalid after what was given

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that `data` contains, up to the `fault` if it has one."""

    def closed(self) -> None:
        """Note the end of the connection. Raises StreamBroken if the body is not complete."""


class Chunked:
    """A body in chunks (RFC 9112, section 7.1); trailers are not read."""

    def __init__(self) -> None:
        self.over = False
        self.fault: StreamBroken | None = None
        self._rest = b""  # the beginning of a line
        self._missing = 0  # bytes of the chunk that have not come yet
        self._is_first = True  # no chunk has to be closed

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.over and self.fault is None:
            if self._missing:
                pieces.append(data[at : at + self._missing])
                at += self._missing
                self._missing = max(0, at - len(data))
                continue
            try:
                after = self._begin_chunk(data, at)
            except StreamBroken as error:
                self.fault = error
                break
            if after is None:
                self._rest = data[at:]
                break
            at = after
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin_chunk(self, data: bytes, at: int) -> int | None:
        """Read the line before a chunk; the index of the chunk's bytes, None if the line is not
        whole."""
        closing = b"" if self._is_first else CRLF  # of the chunk before
        start = at + len(closing)
        if not closing.startswith(data[at:start]):
            raise StreamBroken("stream: a chunk is longer than its size")
        end = data.find(CRLF, start)
        if end < 0 or end - at > LINE_MOST:
            if len(data) - at > LINE_MOST:
                raise StreamBroken("stream: the line before a chunk does not end")
            return None
        size = data[start:end].partition(b";")[0].strip(b" \t")
        if not _SIZE.fullmatch(size):
            raise StreamBroken("stream: no chunk where one must be")
        self._is_first = False
        self._missing = int(size, 16)
        self.over = self._missing == 0
        return end + len(CRLF)

    def closed(self) -> None:
        """See `Body`."""
        raise StreamBroken("stream: the connection ended within a chunked body")


class Sized:
    """A body with a Content-Length."""

    fault: StreamBroken | None = None

    def __init__(self, length: int) -> None:
        self._missing = length
        self.over = length == 0

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""
        piece = data[: self._missing]
        self._missing -= len(piece)
        self.over = self._missing == 0
        return piece

    def closed(self) -> None:
        """See `Body`."""
        raise StreamBroken("stream: the connection ended before the body")


class UntilClosed:
    """A body that ends with the connection."""

    over = False
    fault: StreamBroken | None = None

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""
        return data

    def closed(self) -> None:
        """See `Body`."""
