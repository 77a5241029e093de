"""Runs that stream at a steady rate, each with a socket, all read by a process of their own."""

from __future__ import annotations

import itertools
import multiprocessing
import re
import selectors
import time
from array import array
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

from tests.bench.load.run_readers import SocketRunReader
from tests.support.gateways.demo_gateway import scripted

SEQ = re.compile(rb'"seq":(\d+)')
START_PAUSE = 0.1  # seconds between two starts
ENDLESS = 1_000_000  # tokens

Window = tuple[float, float]  # monotonic seconds


@dataclass(frozen=True)
class Gaps:
    """Between two tokens of a run, milliseconds. `faults`: events missing, runs that ended."""

    tokens: int
    median: float
    p99: float
    longest: float
    faults: int

    @classmethod
    def of(cls, arrivals: list[array[float]], window: Window, faults: int) -> Self:
        """Those that ended within the window."""
        begin, end = window
        gaps = sorted(
            1000 * (after - before)
            for times in arrivals
            for before, after in itertools.pairwise(times)
            if begin < after <= end
        )
        if not gaps:
            return cls(0, 0.0, 0.0, 0.0, faults)
        middle, late = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
        return cls(len(gaps), middle, late, gaps[-1], faults)


class Streams:
    """So many of them; `began` when all have their first token, `gaps` ends them."""

    def __init__(self, url: str, token: str, count: int, rate: float) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_read_all, args=(url, token, count, rate, theirs), daemon=True
        )
        self._process.start()
        assert self._ours.poll(120), "the runs do not stream"
        assert self._ours.recv() == "began"

    def gaps(self, windows: list[Window]) -> list[Gaps]:
        """End the reading; the gaps of each window."""
        self._ours.send(windows)
        found: list[Gaps] = self._ours.recv()
        self._process.join(30)
        return found


def _read_all(url: str, token: str, count: int, rate: float, control: Connection) -> None:
    text = scripted(tokens=ENDLESS, rate=rate)
    readers = [_Reader(SocketRunReader(url, token, f"stream-{n}", text)) for n in range(count)]
    selector = selectors.DefaultSelector()
    for reader in readers:
        reader.run.start(time.monotonic())
        selector.register(reader.run.socket, selectors.EVENT_READ, reader)
        _read(selector, START_PAUSE)
    while not all(reader.arrivals for reader in readers):
        _read(selector, 1.0)
    control.send("began")
    while not control.poll():
        _read(selector, 0.1)
    arrivals, faults = [r.arrivals for r in readers], sum(r.faults for r in readers)
    control.send([Gaps.of(arrivals, window, faults) for window in control.recv()])


class _Reader:
    """One run: when its tokens came, and what was wrong."""

    def __init__(self, run: SocketRunReader) -> None:
        self.run = run
        self.arrivals: array[float] = array("d")
        self.faults = 0
        self._seq = 0

    def read(self) -> None:
        """Take what has arrived."""
        self.run.read(time.monotonic())
        self.faults += self.run.ended
        for at, frame in self.run.arrivals:
            if b'"message.delta"' in frame[:64]:
                self.arrivals.append(at)
            if found := SEQ.search(frame):
                self.faults += self._seq not in (0, int(found[1]) - 1)
                self._seq = int(found[1])
        self.run.arrivals.clear()


def _read(selector: selectors.BaseSelector, within: float) -> None:
    """Read what arrives, for that long at least."""
    until = time.monotonic() + within
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            key.data.read()
            if key.data.run.ended:
                selector.unregister(key.fileobj)
