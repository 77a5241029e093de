"""Writing to a terminal, a pipe or a file that may be closed, full or stuck.

Problem: a write to a terminal that was stopped with Ctrl-S, or to a pipe that nobody reads, waits
for ever, and with it would wait the supervisor; an error of a closed or full one would end it.
Idea: wait for a second until there is room, once; then give up whatever comes until there is room.
Invariant: a call returns within about a second, and raises nothing.
"""

import contextlib
import os
import select
import stat
import time
from collections.abc import Callable
from typing import TextIO

PATIENCE = 1.0  # seconds
PIECE = 512  # bytes; a pipe or a terminal that has room at all has room for so many

Sink = Callable[[str], bool]


def sink_of(stream: TextIO | None) -> Sink:
    """Return what writes a text to the stream, and says whether it could."""
    if stream is None:
        return lambda text: False
    try:
        return _Descriptor(_unblocking(stream.fileno()))
    except (OSError, ValueError):  # not a file of the system, or closed
        return lambda text: _write_to(stream, text)


def _write_to(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


def _unblocking(descriptor: int) -> int:
    """The terminal or pipe, opened once more so that writing does not wait; to switch that for the
    given descriptor would switch it for the shell, too. Else the descriptor as it is."""
    if os.isatty(descriptor) or stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(f"/proc/self/fd/{descriptor}", flags)
    return descriptor


class _Descriptor:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._stuck = False

    def __call__(self, text: str) -> bool:
        data = text.encode(errors="replace")
        deadline = time.monotonic() + (0.0 if self._stuck else PATIENCE)
        try:
            while data:
                if not self._has_room(deadline):
                    self._stuck = True
                    return False
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._descriptor, data[:PIECE]) :]
        except (OSError, ValueError):
            return False
        self._stuck = False
        return True

    def _has_room(self, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
