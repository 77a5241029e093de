"""Which of the pages that come at once are shown first: those whose session has a live run.

Problem: a web process ends, and all its pages come to another one within a fifth of a second.
Served side by side they are all shown at the end of that burst: those that wait for the next word,
and those whose conversation is over. Idea: a few are shown at a time. Of those that wait, the ones
go first that were in the middle of an answer, as they say themselves, or whose session has a live
run; which sessions these are is read once for all, some times a second at most, and only if
somebody waits. Invariant: nobody waits here for longer than PATIENCE, however long it takes to show
the others.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from shared import runtime
from shared.errors import Unavailable

AT_ONCE: Final = 6
PATIENCE: Final = 1.0  # seconds
FRESH: Final = 0.25  # seconds for which it counts which sessions have a live run

Key = tuple[str, str]  # owner, and session or run


class LiveFirst:
    """Any thread may call it."""

    def __init__(self, read_live: Callable[[], Collection[Key]]) -> None:
        """`read_live`: those with a live run now; may raise Unavailable."""
        self._read_live = read_live
        self._lock = threading.Lock()
        self._shown = 0  # at the moment
        self._waiting: dict[threading.Event, Key | None] = {}  # in order; None: it goes first
        self._live: Collection[Key] = ()
        self._read_at = -FRESH

    @contextmanager
    def turn(self, key: Key, *, is_live: bool = False) -> Iterator[None]:
        """Wait until it is this one's turn, and keep the place until it is shown. `is_live`: it was
        in the middle of an answer; else it is looked whether there is one."""
        called = self._come(None if is_live else key)
        if called is not None:
            self._refresh()
            called.wait(PATIENCE)
            self._take(called)
        try:
            yield
        finally:
            self._leave()

    def _come(self, key: Key | None) -> threading.Event | None:
        """What will be set when there is a place; None if there is one now."""
        with self._lock:
            if self._shown < AT_ONCE:
                self._shown += 1
                return None
            called = threading.Event()
            self._waiting[called] = key
            return called

    def _take(self, called: threading.Event) -> None:
        """Go without a place, if none was given."""
        with self._lock:
            if self._waiting.pop(called, None) is not None:
                self._shown += 1

    def _leave(self) -> None:
        with self._lock:
            self._shown -= 1
            if self._shown >= AT_ONCE or not self._waiting:
                return
            called = self._next()
            del self._waiting[called]
            self._shown += 1
        called.set()

    def _next(self) -> threading.Event:
        for called, key in self._waiting.items():
            if key is None or key in self._live:
                return called
        return next(iter(self._waiting))

    def _refresh(self) -> None:
        """In a thread of its own: a database that is away would keep this one for seconds."""
        now = time.monotonic()
        if now - self._read_at >= FRESH:
            self._read_at = now  # the others need not read it, too
            runtime.spawn(self._read)

    def _read(self) -> None:
        try:
            self._live = self._read_live()
        except Unavailable:
            self._live = ()
