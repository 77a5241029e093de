"""The bytes of one WebSocket. Nothing here waits: `Wires` calls when there is something to do."""

import selectors
import socket
from contextlib import suppress
from typing import Protocol

from web.transport.websocket_frames import GOODBYE, Incoming

READ_MOST = 1 << 16  # bytes at once, so that nobody keeps the others waiting
LINGER = 20.0  # seconds from the goodbye to the end, whatever the client does

_IN, _OUT = selectors.EVENT_READ, selectors.EVENT_WRITE


class Owner(Protocol):
    """Who speaks over a wire."""

    def heard(self, wire: "WebSocket", messages: list[str | bytes], *, over: bool) -> bool:
        """Messages came; `over`: they were the last. Must not wait; False: reading goes on when
        the wire's `resume` is called."""


class Keeper(Protocol):
    """What a wire needs of `Wires`."""

    def __contains__(self, wire: object) -> bool: ...

    def wants_to_send(self, wire: "WebSocket") -> None: ...

    def watch(self, wire: "WebSocket", sock: socket.socket, before: int, now: int) -> None: ...

    def end_within(self, wire: "WebSocket", seconds: float) -> None: ...

    def forget(self, wire: "WebSocket") -> None: ...


class WebSocket:
    """One WebSocket after its handshake."""

    __slots__ = (
        "_blocked",
        "_busy",
        "_frames",
        "_goodbye",
        "_incoming",
        "_over",
        "_owner",
        "_queued",
        "_socket",
        "_unsent",
        "_watched",
        "_wires",
    )

    def __init__(self, wires: Keeper, sock: socket.socket, owner: Owner, limit: int) -> None:
        """`limit`: bytes of a message that comes in."""
        self._wires = wires
        self._socket = sock
        self._owner: Owner | None = owner
        self._incoming = Incoming(limit)
        self._frames: list[bytes] = []
        self._unsent: bytes | memoryview = b""  # of frames, begun
        self._goodbye: bytes | None = None  # to be sent, or sent, after the frames
        self._watched = 0  # what the selector looks for
        self._queued = False  # the sender knows of it
        self._blocked = False  # the client must read before more can be sent
        self._busy = True  # the owner must be done before more is read
        self._over = False  # the owner was told so

    def put(self, frame: bytes) -> None:
        """Send it soon. Never waits."""
        if self._goodbye is None:
            self._frames.append(frame)
            self._wake()

    def waiting(self) -> int:
        """How many frames nobody has tried to send yet."""
        return len(self._frames)

    def finish(self, goodbye: bytes = GOODBYE) -> None:
        """Close it, after what was put until now."""
        if self._goodbye is None:
            self._goodbye = goodbye
            self._wires.end_within(self, LINGER)
            self._wake()

    def cut(self) -> None:
        """Break the connection now: whoever waits for this client waits no more."""
        with suppress(OSError):  # gone already
            self._socket.shutdown(socket.SHUT_RDWR)

    def resume(self) -> None:
        """The owner is done with what it heard."""
        self._busy = False
        self._watch()

    # -- of the two threads ------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """The selector has found it."""
        if events & _OUT:
            self._blocked = False
            self._wake()
        if events & _IN and not self._busy:
            self._read()
        self._watch()

    def send(self) -> None:
        """As much as the connection takes."""
        self._queued = False
        try:
            while self._begin():
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if self._goodbye is not None:
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            self._blocked = True
        except OSError:  # it is read to its end, then closed
            self._frames.clear()
            self._unsent = b""
            self.cut()
        self._watch()

    def _begin(self) -> bool:
        """Whether there is anything to send."""
        if not self._unsent:
            count = len(self._frames)
            self._unsent = memoryview(b"".join(self._frames[:count])) if count else b""
            del self._frames[:count]
        if not self._unsent and self._goodbye:
            self._unsent, self._goodbye = self._goodbye, b""
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
        elif self._goodbye is None:
            heard = self._incoming.feed(data)
            if heard.pongs:
                self.put(heard.pongs)
            if heard.goodbye:
                self.finish(heard.goodbye)
            self._tell(heard.messages, over=bool(heard.goodbye))

    def close(self) -> None:
        """Nothing more comes or goes."""
        self._wires.forget(self)
        self._watch()
        self._socket.close()
        self._tell([], over=True)
        self._owner, self._goodbye = None, b""

    def _tell(self, messages: list[str | bytes], *, over: bool) -> None:
        if self._owner is not None and not self._over and (messages or over):
            self._over = over
            self._busy = True  # first: the owner may be done before it returns
            if self._owner.heard(self, messages, over=over):
                self._busy = False

    def _wake(self) -> None:
        if not self._queued and not self._blocked:
            self._queued = True
            self._wires.wants_to_send(self)

    def _watch(self) -> None:
        wanted = 0
        if self in self._wires:
            wanted = (0 if self._busy else _IN) | (_OUT if self._blocked else 0)
        if wanted != self._watched:
            self._wires.watch(self, self._socket, self._watched, wanted)
            self._watched = wanted
