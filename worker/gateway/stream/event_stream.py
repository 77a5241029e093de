"""One event stream of a gateway, from its connection to the one who follows it."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from shared.errors import StreamBroken
from worker.gateway.stream.raw_connection import RawResponse
from worker.gateway.stream.sse_parser import EventParser
from worker.gateway.stream.stream_reader import StreamReader

log = logging.getLogger(__name__)

SILENCE = 90.0  # seconds until it is taken for dead; gateways send a comment every 30
# Bytes at most at once, so that nobody keeps the others waiting. More than a TLS record has: no
# selector would see what is deciphered and not read.
READ = 65_536

Take = Callable[[list[dict[str, Any]]], bool]


def _enough(_: object) -> bool:
    """Who takes events when nobody follows."""
    return True


class EventStream:
    """Its events, to be followed once."""

    def __init__(self, response: RawResponse, reader: StreamReader, max_event: int) -> None:
        """`max_event`: bytes that may come without an end of event. Raises StreamBroken."""
        try:
            self._begun, self._body = response.take_body()
        except BaseException:
            response.close()
            raise
        self._response = response
        self._reader = reader
        self._socket = response.sock
        self._events = EventParser(max_event)
        self._take: Take = _enough
        self._over = threading.Event()
        self._error: Exception | None = None

    def follow(self, take: Take) -> None:
        """Have `take` called with the events of each read, in order, until it returns True or the
        gateway closes the stream. It is called by another thread, and must not wait.

        Raises StreamBroken when the stream breaks, is cut, or sends more than `max_event` bytes
        without an end of event; and what `take` raises.
        """
        self._take = take
        try:
            if self._begun:
                self._pass_on(self._begun)
            if not self._over.is_set():
                self._reader.add(self._socket, self._read)
                self._over.wait()
        finally:
            self._over.set()
            self._take = _enough
            self._reader.remove(self._socket)
            self._response.close()
        if self._error is not None:
            raise self._error

    def cut(self) -> None:
        """End it from another thread. Closing would leave the reader stuck."""
        if not self._over.is_set():
            self._error = StreamBroken("stream: cut")
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("stream.cut_late")

    def _read(self) -> int:
        """Pass on what is there; how many bytes."""
        try:
            data: bytes = self._socket.recv(READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            self._end(StreamBroken(f"stream: {type(error).__name__}"))
            return 0
        self._pass_on(data)
        return len(data)

    def _pass_on(self, data: bytes) -> None:
        if self._over.is_set():
            return
        try:
            is_enough = self._error is not None or self._take(self._parsed(data))
        except Exception as error:  # noqa: BLE001 - it belongs to who follows the stream
            self._end(error)
            return
        if is_enough or not data or self._body.over:
            self._end(self._error)

    def _parsed(self, data: bytes) -> list[dict[str, Any]]:
        """`data`: b"" when the connection has ended. Whole events in a read that ends in a fault
        are lost with it: the run is replayed from its place, or asked for."""
        if data:
            events = self._events.feed(self._body.feed(data))
        else:
            self._body.closed()
            events = []
        return [*events, *self._events.end()] if self._body.over or not data else events

    def _end(self, error: Exception | None) -> None:
        self._error = error
        self._reader.remove(self._socket)
        self._over.set()
