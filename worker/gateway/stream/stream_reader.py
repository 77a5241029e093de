"""Reads all open event streams of a gateway in one thread (ADR 0017). It does not look at bytes.

Problem: with a green thread for each stream, each token costs a read that finds nothing, a timer,
an entry in the hub's poll and two switches, which is more than its parsing.
Idea: one thread waits for a selector that has the sockets of all streams, and calls the `read` of
each one that is ready. Between two rounds it rests: in proportion to the length of the round when
few streams are busy, so that an idle system answers at once; for the rest of the interval between
two flushes when most are busy, so that tokens gather.
Invariant: a registered stream is read by this thread only, until it is removed or the reader stops;
then its `on_stop` is called, so that no consumer waits for a stream that nobody reads.
"""

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared import runtime
from shared.service import Service

log = logging.getLogger(__name__)

REST = 2  # times the length of a round of that many streams or more: at most a third of the time
FAST, SLOW = 0.5, 1.5  # intervals between two reads of a stream: below it becomes busy, above idle
TURN_BYTES = 32_768  # bytes read before other threads get a turn
RETRY_AFTER = 0.1  # seconds


@dataclass
class _Stream:
    """A registered stream."""

    read: Callable[[], int]
    on_stop: Callable[[], None]
    read_at: float = 0.0  # time.monotonic()
    busy: bool = False  # it brings several tokens in an interval

    def note_read(self, now: float, interval: float) -> bool:
        """Record that it is read now; whether it is busy."""
        self.busy = now - self.read_at < interval * (SLOW if self.busy else FAST)
        self.read_at = now
        return self.busy


class StreamReader:
    """The thread, which starts with the first stream and ends with `stop`."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds from one round to the next while most streams are busy; that of the
        flushes, since reading more often gains nothing."""
        self._interval = interval
        self._lock = threading.Lock()
        self._selector: selectors.BaseSelector | None = None  # None before the first stream
        self._wake_pipe: tuple[int, int] | None = None
        self._service = Service("stream_reader", self._read_until_stopped, wake=self._wake)

    def add(self, sock: Any, read: Callable[[], int], on_stop: Callable[[], None]) -> None:
        """From now on call `read` when there is something to read. It must not wait; it returns
        the number of bytes it read. `on_stop` is called instead once the reader has stopped."""
        with self._lock:
            if not self._service.stopping and self._selector is None:
                self._open()
            self._service.start()
            stopping = self._service.stopping
            if self._selector is not None and not stopping:
                self._selector.register(sock, selectors.EVENT_READ, _Stream(read, on_stop))
        if stopping:
            on_stop()

    def remove(self, sock: Any) -> None:
        """Do not read it any more; harmless when it is not registered. Call it before the socket is
        closed."""
        with self._lock:
            if self._selector is not None and sock in self._selector.get_map():
                self._selector.unregister(sock)

    def stop(self) -> None:
        """End the thread and all streams. Safe to call twice."""
        self._service.stop()

    def _open(self) -> None:
        self._selector = runtime.selector()
        self._wake_pipe = os.pipe()
        self._selector.register(self._wake_pipe[0], selectors.EVENT_READ)

    def _wake(self) -> None:
        with self._lock:
            if self._wake_pipe is not None:
                os.write(self._wake_pipe[1], b"\0")

    def _read_until_stopped(self) -> None:
        selector = self._selector
        assert selector is not None
        while not self._service.stopping:
            try:
                runtime.wait_for(selector)
                rest = self._round(selector)
            except Exception:  # the edge of the loop: without it no stream would be read any more
                log.exception("stream_reader.failed")
                rest = RETRY_AFTER
            time.sleep(rest)
        for stream in self._close(selector):
            stream.on_stop()

    def _close(self, selector: selectors.BaseSelector) -> list[_Stream]:
        """Close the selector; the streams that were registered."""
        with self._lock:
            keys = list(selector.get_map().values())
            selector.close()
            self._selector = None
            if self._wake_pipe is not None:
                for end in self._wake_pipe:
                    os.close(end)
                self._wake_pipe = None
        return [key.data for key in keys if key.data is not None]

    def _round(self, selector: selectors.BaseSelector) -> float:
        """Read what is there, once; the seconds to rest: none if there is more."""
        began = time.monotonic()
        streams = busy = since = most = 0
        for key, _ in selector.select(0):
            stream: _Stream | None = key.data
            if stream is None:  # the pipe of `stop`
                continue
            size = stream.read()
            streams, since, most = streams + 1, since + size, max(most, size)
            busy += stream.note_read(began, self._interval)
            if since > TURN_BYTES:
                since = 0
                time.sleep(0)
        if most > TURN_BYTES:
            return 0.0
        took = time.monotonic() - began
        left = self._interval - took
        return max(0.0, left if 2 * busy > streams else min(min(REST, streams) * took, left))
