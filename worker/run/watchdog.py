"""Watches a run while its stream is read: stop, silence, deadline, lost lease (R8, R9).

Problem: a long tool call and a hang look alike from the stream. Idea: silence only makes the
watchdog ask the gateway for the run's status. It gives the stream up on a terminal status, on 404,
or when a stop was not heeded in time; a stream without any sign of life is cut, and may be opened
again. Invariant: the thread that reads the stream never waits longer than the limits below.
"""

import logging
import threading
import time
from dataclasses import dataclass

from shared.errors import GatewayError
from shared.settings import Settings
from worker.gateway.models import RunStatus
from worker.gateway.stop_at_gateway import try_stop
from worker.gateway.stream.event_stream import SILENCE
from worker.turn import Turn

log = logging.getLogger(__name__)

WAITING = "waiting_for_approval"  # a gateway's status of a run
TICK = 1.0  # seconds between looks
LAST_WORDS = 2.0  # seconds of silence after a terminal status before the stream is given up


@dataclass(frozen=True)
class Limits:
    """Seconds: of silence before the status is asked, for a stop to be heeded, of work in all."""

    silence: float
    stop: float
    work: float

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Those that the operator has set."""
        return cls(
            silence=settings.watchdog.total_seconds(),
            stop=settings.stop_timeout.total_seconds(),
            work=settings.run_deadline.total_seconds(),
        )


class RunClock:
    """The clock of a run's deadline; it stands still while a person is asked (R8).

    Call `tick` regularly. `began`: monotonic time. `limit`: seconds of work.
    """

    def __init__(self, began: float, limit: float) -> None:
        self._limit = limit
        self._spent = 0.0
        self._last = began

    def tick(self, *, waiting: bool) -> bool:
        """Whether the time is over; the time since the last tick counts unless `waiting`."""
        now = time.monotonic()
        if not waiting:
            self._spent += now - self._last
        self._last = now
        return self._spent > self._limit


def is_waiting(status: RunStatus | None) -> bool:
    """Whether the gateway says that the run waits for a person's answer."""
    return status is not None and status.status == WAITING


def send_stop(turn: Turn) -> None:
    """Have the gateway stop the run, until it has taken the request once."""
    if turn.stop_sent or turn.gateway_run_id is None:
        return
    turn.announce_stop()
    turn.stop_sent = try_stop(turn.gateway, turn.gateway_run_id, turn.run_id)


def is_stop_overdue(turn: Turn, limits: Limits) -> bool:
    """Whether the run should have stopped by now."""
    return time.monotonic() - turn.signals.stop_requested_at > limits.stop


class Watchdog:
    """`start` once; `stop` when the reader is done. `gave_up`: it cut the stream for good.

    Not a Service: `stop` does not join, since the thread may be asking a gateway that hangs, and
    the end of the run must not wait for that.
    """

    def __init__(self, turn: Turn, limits: Limits, clock: RunClock) -> None:
        self.gave_up = False
        self._turn = turn
        self._limits = limits
        self._clock = clock
        self._waiting = True  # as the gateway last said, of a run whose log has an open question
        self._last_event_at = time.monotonic()
        self._asked_at = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; a look that is under way may still end."""
        self._done.set()
        self._turn.signals.changed.set()

    def note_event(self) -> None:
        """The stream was opened, or has brought an event."""
        self._last_event_at = time.monotonic()
        self._waiting = True

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                self._look()
            except Exception:  # the edge of the loop: the next look may go well
                log.exception("watchdog.failed run_id=%s", self._turn.run_id)
            self._turn.pause(TICK)

    def _look(self) -> None:
        turn = self._turn
        if turn.lost:
            turn.signals.cut_stream()
            return
        if self._clock.tick(waiting=self._waits_for_a_person()):
            turn.time_out()
        if turn.stop_requested:
            send_stop(turn)
            if is_stop_overdue(turn, self._limits):
                self._give_up()
        self._ask_if_silent()

    def _waits_for_a_person(self) -> bool:
        """A question is open and nothing moves: a gateway may drop a question without a word."""
        silent = time.monotonic() - self._last_event_at >= TICK / 2
        return self._waiting and silent and bool(self._turn.run_log.state_events.open_approvals())

    def _give_up(self) -> None:
        self.gave_up = True
        self._turn.signals.cut_stream()

    def _ask_if_silent(self) -> None:
        silent = time.monotonic() - self._last_event_at
        if silent > SILENCE:
            self._turn.signals.cut_stream()  # it may be opened again
        if silent < self._limits.silence or self._turn.gateway_run_id is None:
            return
        if time.monotonic() - self._asked_at < self._limits.silence:
            return
        self._asked_at = time.monotonic()
        try:
            status = self._turn.gateway.status(self._turn.gateway_run_id)
        except GatewayError:
            return  # it may be restarting; the stream's own end decides
        self._waiting = is_waiting(status)
        if status is None or (status.terminal and silent > LAST_WORDS):
            log.info("stream.silent_end run_id=%s silent=%.1f", self._turn.run_id, silent)
            self._give_up()
