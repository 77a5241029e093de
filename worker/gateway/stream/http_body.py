"""The body of an HTTP/1.1 response without its framing. Pure."""

import re
from typing import Protocol

from shared.errors import StreamBroken

LINE_MOST = 4096  # bytes of a chunk's first line
CRLF = b"\r\n"
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class Body(Protocol):
    """What comes over the connection goes through `feed`, piece by piece."""

    over: bool  # nothing more belongs to it

    def feed(self, data: bytes) -> bytes:
        """What `data` brings of the body. Raises StreamBroken for a framing that is none."""

    def closed(self) -> None:
        """The connection has ended. Raises StreamBroken if that is too early."""


class Chunked:
    """In chunks (RFC 9112, section 7.1); trailers are not read."""

    def __init__(self) -> None:
        self.over = False
        self._rest = b""  # the beginning of a line
        self._left = 0  # bytes of the chunk that have not come yet
        self._is_first = True  # no chunk has to be closed

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                pieces.append(data[at : at + self._left])
                at += self._left
                self._left = max(0, at - len(data))
                continue
            after = self._begin(data, at)
            if after is None:
                self._rest = data[at:]
                break
            at = after
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin(self, data: bytes, at: int) -> int | None:
        """Read the line before a chunk; where its bytes begin, None if the line is not whole."""
        closing = b"" if self._is_first else CRLF  # of the chunk before
        start = at + len(closing)
        if not closing.startswith(data[at:start]):
            raise StreamBroken("stream: a chunk is longer than it said")
        end = data.find(CRLF, start)
        if end < 0 or end - at > LINE_MOST:
            if len(data) - at > LINE_MOST:
                raise StreamBroken("stream: the line before a chunk does not end")
            return None
        size = data[start:end].partition(b";")[0].strip(b" \t")
        if not _SIZE.fullmatch(size):
            raise StreamBroken("stream: no chunk where one must be")
        self._is_first = False
        self._left = int(size, 16)
        self.over = self._left == 0
        return end + len(CRLF)

    def closed(self) -> None:
        """See `Body`."""
        raise StreamBroken("stream: the connection ended within a chunked body")


class Sized:
    """Of a length that its head told."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.over = length == 0

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""
        piece = data[: self._left]
        self._left -= len(piece)
        self.over = self._left == 0
        return piece

    def closed(self) -> None:
        """See `Body`."""
        raise StreamBroken("stream: the connection ended before the body")


class UntilClosed:
    """To the end of the connection."""

    over = False

    def feed(self, data: bytes) -> bytes:
        """See `Body`."""
        return data

    def closed(self) -> None:
        """See `Body`."""
