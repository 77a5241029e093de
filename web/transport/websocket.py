"""The bytes of one WebSocket. Nothing here waits: `WebSocketLoop` calls when there is work."""

import selectors
import socket
from contextlib import suppress
from typing import Protocol

from web.server.connection_table import ClientConnection
from web.sockets.bucket import Bucket
from web.transport.websocket_frames import CLOSE_FRAME, FrameReader

READ_MOST = 1 << 16  # bytes at once, so that no client keeps the others waiting
UNSENT_WHILE_READING = 1 << 18  # bytes; a client that reads no more is not read from either
READ_OF_STRANGER = 1 << 12  # the same of one that is not authenticated
STRANGER = (10.0, 50.0)  # frames a second, and at once, before that
KNOWN = (200.0, 2000.0)  # and after it
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

    def pause(self, websocket: "WebSocket", seconds: float) -> None: ...

    def discard(self, websocket: "WebSocket") -> None: ...

    def count_held(self, size: int) -> None: ...


class WebSocket:
    """One WebSocket after its handshake."""

    __slots__ = (
        "_allowed",
        "_blocked",
        "_busy",
        "_client",
        "_close_frame",
        "_closed",
        "_frames",
        "_is_cut",
        "_loop",
        "_more",
        "_owner",
        "_paused",
        "_pong_waits",
        "_queued",
        "_read_most",
        "_reader",
        "_socket",
        "_unsent",
        "_watched",
        "begun",
        "unsent",
    )

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        owner: Owner,
        limit: int,
        client: ClientConnection | None = None,
    ) -> None:
        """`limit`: bytes of a message that comes in. `client`: its entry among the process's
        connections, which ends with it."""
        self._loop = loop
        self._socket = sock
        self._owner: Owner | None = owner
        self._client = client
        self.unsent = 0  # bytes that were put and not sent yet
        self.begun = 0  # bytes of a message that is not complete yet
        self._pong_waits = False  # one is enough, however many pings come
        self._reader = FrameReader(limit)
        self._allowed = Bucket(*STRANGER)  # frames of the client
        self._read_most = READ_OF_STRANGER
        self._more = False  # frames were received that are not read yet
        self._is_cut = False  # what it still says does not count
        self._paused = False  # it has sent too many frames; the loop calls `unpause`
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
            self._count(len(frame))
            self._wake()

    def mark_authenticated(self, limit: int) -> None:
        """A token came over it. `limit`: bytes of a message from now on."""
        self._reader.limit = limit
        self._read_most = READ_MOST
        self._allowed.widen(*KNOWN)
        if self._client is not None:
            self._client.mark_authenticated()

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
        self._is_cut, self._paused = True, False
        self._watch()

    def abandon(self) -> None:
        """The same, and forget what was not sent."""
        self._drop_unsent()
        self.cut()

    def resume(self) -> None:
        """Read on: the owner has served what it received."""
        self._busy = False
        self._watch()

    @property
    def held(self) -> int:
        """Bytes that are kept for it, in both directions."""
        return self.unsent + self.begun

    # -- called by the loop ------------------------------------------------------------------

    def unpause(self) -> bool:
        """Read on after a pause; False if its owner is busy: later."""
        if self._busy and self in self._loop:
            return False
        self._paused = False
        if self._more and self in self._loop:
            self._take(b"")
        self._watch()
        return True

    def ready(self, events: int) -> None:
        """Do what the selector says is possible."""
        if events & _OUT:
            self._blocked = False
            self._wake()
        if events & _IN and self._may_read():
            self._read()
        self._watch()

    def send(self) -> None:
        """Send as much as the connection takes."""
        self._queued = False
        try:
            while self._begin():
                sent = self._socket.send(self._unsent)
                self._unsent = self._unsent[sent:]
                self._count(-min(sent, self.unsent))
            if self._close_frame is not None:
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            self._blocked = True
        except OSError:  # the reader finds its end and closes it
            self._drop_unsent()
            self.cut()
        self._watch()

    def _begin(self) -> bool:
        """Whether there is anything to send; takes it from the queued frames."""
        if not self._unsent:
            self._pong_waits = False
            count = len(self._frames)
            self._unsent = memoryview(b"".join(self._frames[:count])) if count else b""
            del self._frames[:count]
        if not self._unsent and self._close_frame:
            self._unsent, self._close_frame = self._close_frame, b""
        return bool(self._unsent)

    def _read(self) -> None:
        try:
            data = self._socket.recv(self._read_most)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or self._is_cut:
            self.close()
        elif self._close_frame is None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        received = self._reader.feed(data)
        self._more = received.more
        self._count_begun()
        seconds = self._allowed.take(received.frames)
        if seconds or received.more:
            self._paused = True
            self._loop.pause(self, seconds)
        if received.pongs and not self._pong_waits:
            self.put(received.pongs)
            self._pong_waits = True
        if received.close_frame:
            self.finish(received.close_frame)
        self._pass_on(received.messages, closed=bool(received.close_frame))

    def _count_begun(self) -> None:
        change = self._reader.size - self.begun
        self.begun += change
        self._loop.count_held(change)

    def close(self) -> None:
        """Close the socket: nothing more is read or sent."""
        self._loop.discard(self)
        self._drop_unsent()
        if self._client is not None:
            self._client.remove()
            self._client = None  # it refers to this object: a cycle
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

    def _drop_unsent(self) -> None:
        self._frames.clear()
        self._unsent = b""
        self._count(-self.unsent)
        self._loop.count_held(-self.begun)
        self.begun = 0

    def _count(self, size: int) -> None:
        self.unsent += size
        self._loop.count_held(size)

    def _wake(self) -> None:
        if not self._queued and not self._blocked:
            self._queued = True
            self._loop.wants_to_send(self)

    def _may_read(self) -> bool:
        """Whether its owner has served what came before; the end of one that was cut is seen at
        once, so that its file is free."""
        return self._is_cut or not (self._busy or self._paused)

    def _watch(self) -> None:
        wanted = 0
        if self in self._loop:
            waits = self._blocked and self.unsent > UNSENT_WHILE_READING
            wanted = (_IN if self._may_read() and (self._is_cut or not waits) else 0) | (
                _OUT if self._blocked else 0
            )
        if wanted != self._watched:
            self._loop.watch(self, self._socket, self._watched, wanted)
            self._watched = wanted
