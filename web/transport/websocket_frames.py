"""WebSocket frames: messages as bytes to send, and messages out of received bytes. Pure."""

import io
import struct
from typing import Any, NamedTuple

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

CLOSE_FRAME = b"\x88\x00"  # without a reason
FRAMES_AT_ONCE = 256  # that are read before others get their turn

_TEXT, _BINARY, _LAST = 0x1, 0x2, 0x80
_SHORT, _MEDIUM = 125, 0xFFFF  # bytes


def frame(message: str | bytes) -> bytes:
    """A whole message in one frame, as servers send it."""
    if isinstance(message, str):
        return text_frame(message.encode())
    return _frame(_BINARY, message)


def text_frame(utf8: bytes) -> bytes:
    """A text message in one frame."""
    return _frame(_TEXT, utf8)


def _frame(kind: int, data: bytes) -> bytes:
    size = len(data)
    if size <= _SHORT:
        head = struct.pack("!BB", _LAST | kind, size)
    elif size <= _MEDIUM:
        head = struct.pack("!BBH", _LAST | kind, 126, size)
    else:
        head = struct.pack("!BBQ", _LAST | kind, 127, size)
    return head + data


class ReceivedFrames(NamedTuple):
    """`pongs`: answers to pings. `close_frame`: the answer that ends the connection, if it is not
    empty; what the client sends after that does not count. `frames`: how many were read.
    `more`: there may be more in what was received; call `feed` again, with nothing."""

    messages: list[str | bytes]
    pongs: bytes
    close_frame: bytes
    frames: int = 0
    more: bool = False


class FrameReader:
    """Puts the messages of one client together, whatever pieces their bytes come in."""

    __slots__ = ("_connection", "_message", "limit", "size")

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of one message, all its fragments together."""
        self._connection = Connection(ConnectionType.SERVER)
        self.limit = limit
        self._message: io.StringIO | io.BytesIO | None = None  # begun, not finished
        self.size = 0  # bytes of it

    def feed(self, data: bytes) -> ReceivedFrames:
        """The messages that these bytes complete, of the first frames."""
        messages: list[str | bytes] = []
        pongs = close_frame = b""
        count = 0
        self._connection.receive_data(data)
        for event in self._connection.events():
            count += getattr(event, "frame_finished", True)
            if isinstance(event, TextMessage | BytesMessage):
                if not self._push(event.data):
                    close_frame = self._close(_too_big(self.limit))
                elif event.message_finished:
                    messages.append(self._finished())
            elif isinstance(event, Ping):
                pongs = self._connection.send(event.response())  # the last of many is enough
            elif isinstance(event, CloseConnection):
                close_frame = self._close(event.response())
            if close_frame or count == FRAMES_AT_ONCE:
                break
        more = count == FRAMES_AT_ONCE and not close_frame
        return ReceivedFrames(messages, pongs, close_frame, count, more)

    def _push(self, part: Any) -> bool:
        """Whether the message is within the limit."""
        self.size += _size(part)
        if self.size > self.limit:
            return False
        if self._message is None:
            self._message = io.StringIO() if isinstance(part, str) else io.BytesIO()
        self._message.write(part)
        return True

    def _finished(self) -> str | bytes:
        assert self._message is not None
        whole = self._message.getvalue()
        self._message, self.size = None, 0
        return whole

    def _close(self, event: CloseConnection) -> bytes:
        return self._connection.send(event)


def _size(part: Any) -> int:
    return len(part.encode() if isinstance(part, str) and not part.isascii() else part)


def _too_big(limit: int) -> CloseConnection:
    return CloseConnection(CloseReason.MESSAGE_TOO_BIG, f"A message is larger than {limit} bytes.")
