"""The bytes of one WebSocket. Nothing here waits: `WebSocketLoop` calls when there is work."""

import selectors
import socket
from contextlib import suppress
from typing import Protocol

from web.transport.websocket_frames import CLOSE_FRAME, FrameReader

READ_MOST = 1 << 16  # bytes at once, so that no client keeps the others waiting
LINGER = 20.0  # seconds from the close frame to the end, whatever the client does

_IN, _OUT = selectors.EVENT_READ, selectors.EVENT_WRITE


class Owner(Protocol):
    """Gets what comes in over a WebSocket."""

    def received(
        self, websocket: "WebSocket", messages: list[str | bytes], *, closed: bool
    ) -> bool:
        """Messages came; `closed`: they were the last. Must not wait. False: nothing more is read
        before the WebSocket's `resume` is called."""


class Loop(Protocol):
    """What a WebSocket needs of `WebSocketLoop`."""

    def __contains__(self, websocket: object) -> bool: ...

    def wants_to_send(self, websocket: "WebSocket") -> None: ...

    def watch(self, websocket: "WebSocket", sock: socket.socket, before: int, now: int) -> None: ...

    def end_within(self, websocket: "WebSocket", seconds: float) -> None: ...

    def discard(self, websocket: "WebSocket") -> None: ...


class WebSocket:
    """One WebSocket after its handshake."""

    __slots__ = (
        "_blocked",
        "_busy",
        "_close_frame",
        "_closed",
        "_frames",
        "_loop",
        "_owner",
        "_queued",
        "_reader",
        "_socket",
        "_unsent",
        "_watched",
    )

    def __init__(self, loop: Loop, sock: socket.socket, owner: Owner, limit: int) -> None:
        """`limit`: bytes of a message that comes in."""
        self._loop = loop
        self._socket = sock
        self._owner: Owner | None = owner
        self._reader = FrameReader(limit)
        self._frames: list[bytes] = []
        self._unsent: bytes | memoryview = b""  # of frames, begun
        self._close_frame: bytes | None = None  # to be sent after the frames; empty: sent
        self._watched = 0  # the events that the selector waits for
        self._queued = False  # in the sender's queue
        self._blocked = False  # the client must read before more can be sent
        self._busy = True  # the owner must call `resume` before more is read
        self._closed = False  # the owner knows that nothing more comes

    def put(self, frame: bytes) -> None:
        """Send it soon. Never waits."""
        if self._close_frame is None:
            self._frames.append(frame)
            self._wake()

    def waiting(self) -> int:
        """How many frames no attempt was made to send yet."""
        return len(self._frames)

    def finish(self, close_frame: bytes = CLOSE_FRAME) -> None:
        """Close it, after what was put before."""
        if self._close_frame is None:
            self._close_frame = close_frame
            self._loop.end_within(self, LINGER)
            self._wake()

    def cut(self) -> None:
        """Break the connection now, whatever is queued or being sent."""
        with suppress(OSError):  # broken already
            self._socket.shutdown(socket.SHUT_RDWR)

    def resume(self) -> None:
        """Read on: the owner has served what it received."""
        self._busy = False
        self._watch()

    # -- called by the loop ------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Do what the selector says is possible."""
        if events & _OUT:
            self._blocked = False
            self._wake()
        if events & _IN and not self._busy:
            self._read()
        self._watch()

    def send(self) -> None:
        """Send as much as the connection takes."""
        self._queued = False
        try:
            while self._begin():
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if self._close_frame is not None:
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            self._blocked = True
        except OSError:  # the reader finds its end and closes it
            self._frames.clear()
            self._unsent = b""
            self.cut()
        self._watch()

    def _begin(self) -> bool:
        """Whether there is anything to send; takes it from the queued frames."""
        if not self._unsent:
            count = len(self._frames)
            self._unsent = memoryview(b"".join(self._frames[:count])) if count else b""
            del self._frames[:count]
        if not self._unsent and self._close_frame:
            self._unsent, self._close_frame = self._close_frame, b""
        return bool(self._unsent)

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_MOST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif self._close_frame is None:
            received = self._reader.feed(data)
            if received.pongs:
                self.put(received.pongs)
            if received.close_frame:
                self.finish(received.close_frame)
            self._pass_on(received.messages, closed=bool(received.close_frame))

    def close(self) -> None:
        """Close the socket: nothing more is read or sent."""
        self._loop.discard(self)
        self._watch()
        self._socket.close()
        self._pass_on([], closed=True)
        self._owner, self._close_frame = None, b""

    def _pass_on(self, messages: list[str | bytes], *, closed: bool) -> None:
        if self._owner is not None and not self._closed and (messages or closed):
            self._closed = closed
            self._busy = True  # first: the owner may be done before it returns
            if self._owner.received(self, messages, closed=closed):
                self._busy = False

    def _wake(self) -> None:
        if not self._queued and not self._blocked:
            self._queued = True
            self._loop.wants_to_send(self)

    def _watch(self) -> None:
        wanted = 0
        if self in self._loop:
            wanted = (0 if self._busy else _IN) | (_OUT if self._blocked else 0)
        if wanted != self._watched:
            self._loop.watch(self, self._socket, self._watched, wanted)
            self._watched = wanted
