"""All WebSockets of a process, moved by two threads: one reads, one sends (docs/adr/0015).

Problem: python-engineio has three threads per WebSocket; with thousands of sockets, nearly all of
them silent, their stacks are most of the process's memory.

Idea: an open WebSocket is an entry in one selector. The reader waits for the selector, and has the
WebSockets that are ready read or mark themselves writable. The sender takes WebSockets that have
something to send from a queue, and has each send as much as its connection takes. Handshakes and
handlers are other threads' work.

Invariant: a WebSocket is read, and its selector entry changed, by its own methods only; it is in
the sender's queue at most once; whatever one WebSocket raises closes that one and stops neither
thread.
"""

import logging
import os
import queue
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from shared import runtime
from shared.service import Service, periodic
from web.server.connection_table import ClientConnection
from web.transport.websocket import Owner, WebSocket

log = logging.getLogger(__name__)

RETRY_AFTER = 0.5  # seconds
PAUSES_EVERY = 0.05  # seconds
YIELD_AFTER = 64  # sockets that are looked at before other threads get a turn


class Holder(Protocol):
    """A connection that bytes are kept for."""

    @property
    def held(self) -> int: ...

    def abandon(self) -> None: ...


class WebSocketLoop:
    """The open WebSockets, and the two services that move their bytes."""

    def __init__(self) -> None:
        self._selector = runtime.selector()
        self._open: set[WebSocket] = set()
        self._to_send: queue.Queue[WebSocket | None] = queue.Queue()  # each at most once
        self.held = 0  # bytes that are kept for all connections, polling ones included
        self._holders: set[Holder] = set()  # connections that poll, for which some are kept
        self._pauses: dict[WebSocket, float] = {}  # when they are read again, time.monotonic()
        self._ends: dict[WebSocket, float] = {}  # when they must be closed, time.monotonic()
        self._wake_pipe: tuple[int, int] | None = None  # ends the reader's wait
        self._reader = Service("websocket-reader", self._read, wake=self._wake_reader)
        self._sender = Service("websocket-sender", self._send, wake=self._wake_sender)
        self._unpauser = periodic("websocket-pauses", self.end_pauses, PAUSES_EVERY)
        self.services = [self._reader, self._sender, self._unpauser]

    def open(
        self,
        sock: socket.socket,
        owner: Owner,
        limit: int,
        client: ClientConnection | None = None,
    ) -> WebSocket:
        """Take over a socket that does not block; it is not read before its `resume` is called."""
        websocket = WebSocket(self, sock, owner, limit, client)
        if client is not None:
            client.hand_over(websocket.cut)
        self._open.add(websocket)
        return websocket

    def cut_largest(self, most: int) -> None:
        """Break the connections that most bytes are kept for until they are `most` in all."""
        while self.held > most:
            largest = max([*self._open, *self._holders], key=lambda holder: holder.held)
            log.warning("socket.memory_limit bytes=%s all=%s", largest.held, self.held)
            largest.abandon()

    def hold(self, holder: "Holder", is_holding: bool) -> None:
        """Bytes are kept for a connection that polls, or no more."""
        (self._holders.add if is_holding else self._holders.discard)(holder)

    def end_pauses(self) -> None:
        """Read those again whose pause is over. To be called many times a second."""
        now = time.monotonic()
        for websocket in [websocket for websocket, at in self._pauses.items() if now >= at]:
            _safely(websocket, partial(self._end_pause, websocket))

    def _end_pause(self, websocket: WebSocket) -> None:
        at = self._pauses.pop(websocket)
        if not websocket.unpause():
            self._pauses[websocket] = at

    def cut_late(self, now: float) -> None:
        """Break the connections that should have ended. `now`: as of time.monotonic()."""
        for websocket in [websocket for websocket, at in self._ends.items() if now >= at]:
            del self._ends[websocket]
            websocket.cut()

    def end_within(self, websocket: WebSocket, seconds: float) -> None:
        """Have it cut then, unless `keep` is called."""
        self._ends[websocket] = time.monotonic() + seconds

    def keep(self, websocket: WebSocket) -> None:
        """It need not end."""
        self._ends.pop(websocket, None)

    # -- the two services --------------------------------------------------------------------

    def read_ready(self) -> None:
        """Wait until sockets can be read or written, and let them do so once."""
        runtime.wait_for(self._selector)
        for number, (key, events) in enumerate(self._selector.select(0), 1):
            if key.data is not None:
                _safely(key.data, partial(key.data.ready, events))
            if number % YIELD_AFTER == 0:
                time.sleep(0)

    def send_waiting(self) -> None:
        """Wait until a WebSocket has something to send, and let it do so."""
        websocket = self._to_send.get()
        if websocket is not None:
            _safely(websocket, websocket.send)

    def _read(self) -> None:
        self._wake_pipe = os.pipe()
        self._selector.register(self._wake_pipe[0], selectors.EVENT_READ, None)
        try:
            _repeat(self._reader, self.read_ready)
        finally:
            pipe, self._wake_pipe = self._wake_pipe, None
            self._selector.unregister(pipe[0])
            for end in pipe:
                os.close(end)

    def _send(self) -> None:
        _repeat(self._sender, self.send_waiting)

    def _wake_reader(self) -> None:
        if self._wake_pipe is not None:
            os.write(self._wake_pipe[1], b"\0")

    def _wake_sender(self) -> None:
        self._to_send.put(None)

    # -- of the WebSockets -------------------------------------------------------------------

    def __contains__(self, websocket: object) -> bool:
        return websocket in self._open

    def wants_to_send(self, websocket: WebSocket) -> None:
        """To be called once until its `send` is called."""
        self._to_send.put(websocket)

    def watch(self, websocket: WebSocket, sock: socket.socket, before: int, now: int) -> None:
        """Wait for other selector events than before."""
        if not before:
            self._selector.register(sock, now, websocket)
        elif now:
            self._selector.modify(sock, now, websocket)
        else:
            self._selector.unregister(sock)

    def pause(self, websocket: WebSocket, seconds: float) -> None:
        """Call its `unpause` then."""
        self._pauses[websocket] = time.monotonic() + seconds

    def count_held(self, size: int) -> None:
        """So many more bytes are kept."""
        self.held += size

    def discard(self, websocket: WebSocket) -> None:
        """It is closed."""
        self._open.discard(websocket)
        self._ends.pop(websocket, None)
        self._pauses.pop(websocket, None)


def _repeat(service: Service, work: Callable[[], None]) -> None:
    while not service.stopping:
        try:
            work()
        except Exception:  # what the selector itself refuses
            log.exception("websocket_loop.failed")
            service.wait(RETRY_AFTER)


def _safely(websocket: WebSocket, work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:  # the edge of both loops: no WebSocket may stop the others
        log.exception("websocket.failed")
        websocket.cut()
