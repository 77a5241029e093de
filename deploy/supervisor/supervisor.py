"""Starts roles in order, restarts those that exit, and stops them in reverse order.

One thread runs one loop that waits for output, signals and timeouts. Roles have stages: a stage
starts when all roles of the one below are ready. A role that exits is started again, after a delay
that doubles with each exit in a row; during the start it is given up after MAX_EXITS_AT_START. One
that runs and no longer answers is stopped, and so started again.

Every role leads a process group of its own, so that nothing it started outlives it, and so that
Ctrl-C reaches the supervisor alone.
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
from deploy.supervisor.deaf_check import DeafCheck
from deploy.supervisor.orphan_guard import OrphanGuard
from deploy.supervisor.prefixed_output import PrefixedOutput

START_DEADLINE = timedelta(seconds=60)  # for one stage to become ready
TICK = 0.1  # seconds between checks of readiness and timeouts
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 15.0  # seconds before a role that exited is started again
STEADY = 30.0  # seconds after its start from which an exit counts as the first one again
MAX_EXITS_AT_START = 3  # then the start fails
ASK_EVERY = 2.0  # seconds between questions to the roles that answer
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class _RoleState:
    """A role, its process if one runs, and when the next one is to be started."""

    role: Role
    child: Child | None = None
    started_at: float = 0.0
    exits: int = 0  # in a row, each less than STEADY after its start
    restart_at: float | None = None
    kill_at: float | None = None  # it was asked to end, since it is deaf


class Supervisor:
    """Runs roles until a signal asks it to stop."""

    def __init__(self, roles: list[Role], output: PrefixedOutput, guard: OrphanGuard) -> None:
        self._states = [_RoleState(role) for role in roles]
        self._output = output
        self._guard = guard
        self._selector = selectors.DefaultSelector()
        self._stop_requests = 0
        self._deaf_check = DeafCheck()
        self._ask_at = 0.0
        for role in roles:
            output.add_role(role.name)

    def run(self, when_ready: Callable[[], None]) -> None:
        """Start all roles, call `when_ready`, run until SIGINT, SIGTERM or SIGHUP, stop all.

        A second SIGINT or SIGTERM kills at once what still runs; SIGHUP does not count, since a
        terminal that is closed may send two. One that was started with nohup ignores SIGHUP.

        Raises StartFailedError, with all stopped, if a stage is not ready in time or a role of it
        exits again and again.
        """
        with self._signals():
            try:
                self._start()
                if not self._stop_requests:
                    when_ready()
                while not self._stop_requests:
                    self._tick()
                    self._stop_the_deaf(time.monotonic())
            finally:
                self._stop()

    # --- starting ---------------------------------------------------------------------------

    def _start(self) -> None:
        for stage in sorted({state.role.stage for state in self._states}):
            states = [state for state in self._states if state.role.stage == stage]
            for state in states:
                self._start_role(state)
            self._wait_until_ready(states)

    def _wait_until_ready(self, states: list[_RoleState]) -> None:
        deadline = time.monotonic() + START_DEADLINE.total_seconds()
        while not self._stop_requests and not all(map(_is_ready, states)):
            self._tick()
            for state in states:
                if state.exits >= MAX_EXITS_AT_START:
                    raise StartFailedError(
                        f"{state.role.name} ended {state.exits} times at its start; "
                        "its own lines above say why"
                    )
            if time.monotonic() > deadline:
                late = ", ".join(state.role.name for state in states if not _is_ready(state))
                raise StartFailedError(
                    f"not ready after {START_DEADLINE.total_seconds():.0f} s: {late}"
                )

    def _start_role(self, state: _RoleState) -> None:
        state.restart_at = state.kill_at = None
        state.started_at = time.monotonic()
        state.child = Child(state.role, self._guard)
        self._selector.register(state.child.output, selectors.EVENT_READ, state)

    # --- one turn of the loop ---------------------------------------------------------------

    def _tick(self) -> None:
        for key, _ in self._selector.select(TICK):
            if isinstance(key.data, _RoleState):
                self._forward_output(key.data)
            else:
                key.data()
        for state in self._states:
            if state.child is not None and state.child.has_ended():
                self._reap(state, state.child)
            elif state.restart_at is not None and time.monotonic() >= state.restart_at:
                self._start_role(state)

    def _forward_output(self, state: _RoleState) -> None:
        if state.child is not None:
            for line in state.child.lines():
                self._output.write_line(state.role.name, line)
            if state.child.output_closed:
                self._stop_reading(state.child)

    def _stop_reading(self, child: Child) -> None:
        with contextlib.suppress(KeyError):  # it may have been unregistered already
            self._selector.unregister(child.output)

    def _reap(self, state: _RoleState, child: Child) -> None:
        code = child.reap()
        self._stop_reading(child)
        for line in child.remaining_lines():
            self._output.write_line(state.role.name, line)
        child.close()
        state.child = None
        if not self._stop_requests:
            self._plan_restart(state, code)

    def _plan_restart(self, state: _RoleState, code: int) -> None:
        now = time.monotonic()
        steady = now - state.started_at >= STEADY
        state.exits = 1 if steady else state.exits + 1
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (state.exits - 1))
        state.restart_at = now + delay
        self._output.write_own_line(
            f"role.exited role={state.role.name} {_exit_reason(code)}, restart in {delay:.1f} s"
        )

    # --- roles that run and do not answer ---------------------------------------------------

    def _stop_the_deaf(self, now: float) -> None:
        for state in self._states:
            if state.child is not None and state.kill_at is not None and now >= state.kill_at:
                state.child.kill()
        if now < self._ask_at:
            return
        self._ask_at = now + ASK_EVERY
        asked = {s.child.pid: s for s in self._states if s.child and s.role.who_answers}
        who_answers = next((state.role.who_answers for state in asked.values()), None)
        if who_answers is None:
            return
        new = START_DEADLINE.total_seconds()
        starting = [pid for pid, state in asked.items() if now - state.started_at < new]
        for pid in self._deaf_check.note(asked, starting, who_answers()):
            self._ask_to_end(asked[pid], now)

    def _ask_to_end(self, state: _RoleState, now: float) -> None:
        if state.child is None or state.kill_at is not None:
            return
        self._output.write_own_line(f"role.deaf role={state.role.name}, it is started again")
        state.kill_at = now + state.role.grace.total_seconds()
        if not state.child.has_ended():
            state.child.terminate()

    # --- stopping ---------------------------------------------------------------------------

    def _stop(self) -> None:
        self._stop_requests = max(self._stop_requests, 1)
        for state in self._states:
            state.restart_at = None
        for stage in sorted({state.role.stage for state in self._states}, reverse=True):
            self._stop_stage([state for state in self._states if state.role.stage == stage])
        self._selector.close()

    def _stop_stage(self, states: list[_RoleState]) -> None:
        began = time.monotonic()
        for state in states:
            if state.child is not None and not state.child.has_ended():
                state.child.terminate()
        while any(state.child is not None for state in states):
            self._tick()
            for state in states:
                overdue = time.monotonic() - began > state.role.grace.total_seconds()
                if state.child is not None and (overdue or self._stop_requests > 1):
                    self._output.write_own_line(f"role.killed role={state.role.name}")
                    state.child.kill()
                    self._reap(state, state.child)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Count stop signals while active; each signal also wakes the loop through a socket."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)

        def count(number: int, frame: FrameType | None) -> None:
            again = number != signal.SIGHUP
            self._stop_requests = self._stop_requests + 1 if again else max(self._stop_requests, 1)

        heeded = [n for n in STOP_SIGNALS if n != signal.SIGHUP or not _is_ignored(n)]
        old = {number: signal.signal(number, count) for number in heeded}
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


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN


def _is_ready(state: _RoleState) -> bool:
    if state.child is None:
        return False
    return state.role.is_ready is None or state.role.is_ready()


def _exit_reason(code: int) -> str:
    return f"signal={signal.Signals(-code).name}" if code < 0 else f"exit={code}"
