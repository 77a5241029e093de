"""Starts roles in order, starts them again when they die, and ends them in reverse order.

One thread, one loop: it waits for output, signals and clocks. Every role leads a process group of
its own, so that nothing it started outlives it, and so that Ctrl-C reaches the supervisor alone.
"""

import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

from deploy.errors import StartFailedError
from deploy.supervisor.child import Child, Role
from deploy.supervisor.orphan_guard import Guard
from deploy.supervisor.prefixed_output import Output

START_DEADLINE = timedelta(seconds=60)  # for one stage to become ready
TICK = 0.1  # seconds; readiness and clocks are looked at this often
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 15.0  # seconds before a dead role is started again
STEADY = 30.0  # seconds of life after which a death counts as the first one again
TRIES_AT_START = 3  # a role that cannot start is told, not repeated for ever
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class _Seat:
    """A role's place: who plays it now, and when it is to be filled again."""

    role: Role
    child: Child | None = None
    started_at: float = 0.0
    deaths: int = 0  # in a row, without a steady life between them
    start_at: float | None = None


class Supervisor:
    """Runs roles until it is told to stop."""

    def __init__(self, roles: list[Role], output: Output, guard: Guard) -> None:
        self._seats = [_Seat(role) for role in roles]
        self._output = output
        self._guard = guard
        self._selector = selectors.DefaultSelector()
        self._stop_requests = 0
        for role in roles:
            output.introduce(role.name)

    def run(self, when_ready: Callable[[], None]) -> None:
        """Start all, call `when_ready`, go on until SIGINT, SIGTERM or SIGHUP, end all.

        A second signal ends what is left at once. Raises StartFailedError, with all ended, if a
        stage is not ready in time or a role of it dies again and again.
        """
        with self._signals():
            try:
                self._start()
                if not self._stop_requests:
                    when_ready()
                while not self._stop_requests:
                    self._tick()
            finally:
                self._stop()

    # --- starting ---------------------------------------------------------------------------

    def _start(self) -> None:
        for stage in sorted({seat.role.stage for seat in self._seats}):
            seats = [seat for seat in self._seats if seat.role.stage == stage]
            for seat in seats:
                self._fill(seat)
            self._wait_until_ready(seats)

    def _wait_until_ready(self, seats: list[_Seat]) -> None:
        deadline = time.monotonic() + START_DEADLINE.total_seconds()
        while not self._stop_requests and not all(map(_is_ready, seats)):
            self._tick()
            for seat in seats:
                if seat.deaths >= TRIES_AT_START:
                    raise StartFailedError(
                        f"{seat.role.name} ended {seat.deaths} times at its start; "
                        "its own lines above tell why"
                    )
            if time.monotonic() > deadline:
                late = ", ".join(seat.role.name for seat in seats if not _is_ready(seat))
                raise StartFailedError(
                    f"not ready after {START_DEADLINE.total_seconds():.0f} s: {late}"
                )

    def _fill(self, seat: _Seat) -> None:
        seat.start_at = None
        seat.started_at = time.monotonic()
        seat.child = Child(seat.role, self._guard)
        self._selector.register(seat.child.output, selectors.EVENT_READ, seat)

    # --- one turn of the loop ---------------------------------------------------------------

    def _tick(self) -> None:
        for key, _ in self._selector.select(TICK):
            if isinstance(key.data, _Seat):
                self._show(key.data)
            else:
                key.data()
        for seat in self._seats:
            if seat.child is not None and seat.child.has_ended():
                self._clear(seat, seat.child)
            elif seat.start_at is not None and time.monotonic() >= seat.start_at:
                self._fill(seat)

    def _show(self, seat: _Seat) -> None:
        if seat.child is not None:
            for line in seat.child.lines():
                self._output.line(seat.role.name, line)
            if seat.child.is_silent:
                self._deafen(seat.child)

    def _deafen(self, child: Child) -> None:
        with contextlib.suppress(KeyError):  # it may be deaf already
            self._selector.unregister(child.output)

    def _clear(self, seat: _Seat, child: Child) -> None:
        code = child.bury()
        self._deafen(child)
        for line in child.last_words():
            self._output.line(seat.role.name, line)
        child.close()
        seat.child = None
        if not self._stop_requests:
            self._plan_restart(seat, code)

    def _plan_restart(self, seat: _Seat, code: int) -> None:
        now = time.monotonic()
        steady = now - seat.started_at >= STEADY
        seat.deaths = 1 if steady else seat.deaths + 1
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (seat.deaths - 1))
        seat.start_at = now + delay
        self._output.say(f"role.died role={seat.role.name} {_ending(code)}, again in {delay:.1f} s")

    # --- stopping ---------------------------------------------------------------------------

    def _stop(self) -> None:
        self._stop_requests = max(self._stop_requests, 1)
        for seat in self._seats:
            seat.start_at = None
        for stage in sorted({seat.role.stage for seat in self._seats}, reverse=True):
            self._stop_stage([seat for seat in self._seats if seat.role.stage == stage])
        self._selector.close()

    def _stop_stage(self, seats: list[_Seat]) -> None:
        asked_at = time.monotonic()
        for seat in seats:
            if seat.child is not None and not seat.child.has_ended():
                seat.child.ask_to_end()
        while any(seat.child is not None for seat in seats):
            self._tick()
            for seat in seats:
                overdue = time.monotonic() - asked_at > seat.role.grace.total_seconds()
                if seat.child is not None and (overdue or self._stop_requests > 1):
                    self._output.say(f"role.killed role={seat.role.name}")
                    seat.child.kill()
                    self._clear(seat, seat.child)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Count the requests to stop; each signal also wakes the loop through a socket."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)

        def count(number: int, frame: FrameType | None) -> None:
            self._stop_requests += 1

        old = {number: signal.signal(number, count) for number in STOP_SIGNALS}
        old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        old_wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ, lambda: reader.recv(4096))
        try:
            yield
        finally:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in old.items():
                signal.signal(number, handler)
            reader.close()
            writer.close()


def _is_ready(seat: _Seat) -> bool:
    if seat.child is None:
        return False
    return seat.role.is_ready is None or seat.role.is_ready()


def _ending(code: int) -> str:
    return f"signal={signal.Signals(-code).name}" if code < 0 else f"exit={code}"
