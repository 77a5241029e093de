"""One event stream of a gateway, from its connection to the function that takes its events.

Problem: the bytes arrive in the reader's thread, which all streams share, while the run that wants
the events waits in a thread of its own; a stream may break, be cut by a watchdog, or end.
Idea: `follow` registers the socket with the reader and waits. The reader's thread reads what has
arrived, removes the HTTP framing, parses it and calls the consumer. Errors, also those of the
consumer, are stored and raised by `follow`, in the run's thread.
Invariant: the consumer gets each event once and in order, from one thread at a time, and nothing
after `follow` has returned; `follow` always returns, also after `cut` or the reader's stop.
"""

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
# Bytes read at once at most, so that one stream does not hold up the others. It must be more than a
# TLS record: the selector does not see what is decrypted and not read.
READ = 65_536

Consumer = Callable[[list[dict[str, Any]]], bool]


def _discard(_: object) -> bool:
    """The consumer while nobody follows."""
    return True


class EventStream:
    """An open stream, to be followed once."""

    def __init__(self, response: RawResponse, reader: StreamReader, max_event: int) -> None:
        """`max_event`: bytes that may come without an end of event. Raises StreamBroken."""
        try:
            self._received, self._body = response.take_body()
        except BaseException:
            response.close()
            raise
        self._response = response
        self._reader = reader
        self._socket = response.sock
        self._events = EventParser(max_event)
        self._consumer: Consumer = _discard
        self._over = threading.Event()
        self._error: Exception | None = None

    def follow(self, consumer: Consumer) -> None:
        """Call `consumer` with the events of each read, in order, until it returns True or the
        gateway closes the stream. It is called by another thread, and must not wait.

        Raises StreamBroken when the stream breaks, is cut, or sends more than `max_event` bytes
        without an end of event; and what `consumer` raises.
        """
        self._consumer = consumer
        try:
            if self._received:
                self._consume(self._received)
            if not self._over.is_set():
                self._reader.add(self._socket, self._read, self._break_off)
                self._over.wait()
        finally:
            self._over.set()
            self._consumer = _discard
            self._reader.remove(self._socket)
            self._response.close()
        if self._error is not None:
            raise self._error

    def cut(self) -> None:
        """End the stream, from any thread: `follow` raises StreamBroken. The socket is shut down
        and not closed, since the reader still waits for it."""
        if not self._over.is_set():
            self._error = StreamBroken("stream: cut")
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("stream.already_closed")

    def _break_off(self) -> None:
        self._end(StreamBroken("stream: the reader was stopped"))

    def _read(self) -> int:
        """Read what has arrived, once, and consume it; the number of bytes."""
        try:
            data: bytes = self._socket.recv(READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            self._end(StreamBroken(f"stream: {type(error).__name__}"))
            return 0
        self._consume(data)
        return len(data)

    def _consume(self, data: bytes) -> None:
        if self._over.is_set():
            return
        try:
            is_enough = self._error is not None or self._consumer(self._parse(data))
        except Exception as error:  # noqa: BLE001 - `follow` raises it in the run's thread
            self._end(error)
            return
        if not is_enough and self._body.fault is not None:
            self._end(self._body.fault)
        elif is_enough or not data or self._body.over:
            self._end(self._error)

    def _parse(self, data: bytes) -> list[dict[str, Any]]:
        """The events that `data` completes, up to a fault in it; `data` is b"" when the connection
        has ended."""
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
