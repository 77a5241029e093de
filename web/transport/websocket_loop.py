"""All WebSockets of a process, moved by two threads: one reads what came, one sends what waits.

A socket that is silent has no thread and no stack of its own, only a place in a selector
(docs/adr/0015).
"""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from shared import runtime
from web.transport.websocket import Owner, WebSocket

log = logging.getLogger(__name__)

RETRY_AFTER = 0.5  # seconds
A_TURN = 64  # sockets that are looked at before other threads get a turn


class WebSocketLoop:
    """Start once."""

    def __init__(self) -> None:
        self._selector = runtime.selector()
        self._open: set[WebSocket] = set()
        self._to_send: queue.Queue[WebSocket] = queue.Queue()  # each at most once
        self._ends: dict[WebSocket, float] = {}  # when they must be over, time.monotonic()

    def start(self) -> None:
        """Begin to read and to send."""
        for work in (self.read_ready, self.send_waiting):
            threading.Thread(target=_for_ever, args=(work,), name="wires", daemon=True).start()

    def open(self, sock: socket.socket, owner: Owner, limit: int) -> WebSocket:
        """Take over a socket that does not block; it is not read before its wire is resumed."""
        wire = WebSocket(self, sock, owner, limit)
        self._open.add(wire)
        return wire

    def read_ready(self) -> None:
        """Wait until sockets can be read or written, and do so once."""
        runtime.wait_for(self._selector)
        for number, (key, events) in enumerate(self._selector.select(0), 1):
            wire = key.data
            _safely(wire, partial(wire.ready, events))
            if number % A_TURN == 0:
                time.sleep(0)

    def send_waiting(self) -> None:
        """Wait until a wire has something to send, and do so."""
        wire = self._to_send.get()
        _safely(wire, wire.send)

    def cut_late(self, now: float) -> None:
        """Break the connections whose time is over."""
        for wire in [wire for wire, at in self._ends.items() if now >= at]:
            del self._ends[wire]
            wire.cut()

    def end_within(self, wire: WebSocket, seconds: float) -> None:
        """It is cut then, unless it is told to stay."""
        self._ends[wire] = time.monotonic() + seconds

    def stays(self, wire: WebSocket) -> None:
        """It has no end yet."""
        self._ends.pop(wire, None)

    # -- of the wires ------------------------------------------------------------------------

    def __contains__(self, wire: object) -> bool:
        return wire in self._open

    def wants_to_send(self, wire: WebSocket) -> None:
        """To be called once until its `send` is called."""
        self._to_send.put(wire)

    def watch(self, wire: WebSocket, sock: socket.socket, before: int, now: int) -> None:
        """Look for other events than before."""
        if not before:
            self._selector.register(sock, now, wire)
        elif now:
            self._selector.modify(sock, now, wire)
        else:
            self._selector.unregister(sock)

    def forget(self, wire: WebSocket) -> None:
        """It is closed."""
        self._open.discard(wire)
        self._ends.pop(wire, None)


def _for_ever(work: Callable[[], None]) -> None:
    while True:
        try:
            work()
        except Exception:  # what the selector itself refuses
            log.exception("wires.failed")
            time.sleep(RETRY_AFTER)


def _safely(wire: WebSocket, work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:  # the edge of both loops: no wire may stop the others
        log.exception("wires.failed")
        wire.cut()
