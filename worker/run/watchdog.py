"""Watches a run while its stream is read: stop, silence, deadline, lost lease (R8, R9).

A long tool call and a hang look alike from the stream, so silence only makes it ask for the
status; it acts on a terminal one, on 404, or on the run's deadline.
"""

import logging
import threading
import time
from dataclasses import dataclass

from shared.errors import GatewayError
from worker.gateway.stream.event_stream import SILENCE
from worker.run.run_clock import WAITING, RunClock
from worker.turn import Turn

log = logging.getLogger(__name__)

TICK = 1.0  # seconds between looks
LAST_WORDS = 2.0  # seconds of silence after a terminal status before the stream is given up


@dataclass(frozen=True)
class Limits:
    """Seconds: silence before the status is asked, patience after /stop."""

    silence: float
    stop: float


class Watch:
    """`start` once, `finish` when the reader is done. `gave_up`: it cut the stream for good."""

    def __init__(self, turn: Turn, limits: Limits, clock: RunClock) -> None:
        self.gave_up = False
        self._turn = turn
        self._limits = limits
        self._clock = clock
        self._waiting = True  # as the gateway last said, of a run whose log has an open question
        self._heard = time.monotonic()
        self._asked = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def finish(self) -> None:
        """Stop watching."""
        self._done.set()
        self._turn.changed.set()

    def heard(self) -> None:
        """The stream has brought an event."""
        self._heard = time.monotonic()
        self._waiting = True

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                self._look()
            except Exception:  # the edge of the loop: without it nobody would watch
                log.exception("watch.failed run_id=%s", self._turn.run_id)
            self._turn.changed.wait(TICK)
            self._turn.changed.clear()

    def _look(self) -> None:
        turn = self._turn
        if turn.lost:
            turn.cut_stream()
            return
        if self._clock.tick(waiting=self._waits_for_a_person()) and not turn.timed_out:
            turn.timed_out = True
            turn.ask_stop()
        if turn.stop_asked.is_set():
            send_stop(turn)
            if time.monotonic() - turn.stop_asked_at > self._limits.stop:
                self._give_up()
        self._ask_if_silent()

    def _waits_for_a_person(self) -> bool:
        """A question is open and nothing moves: a gateway may drop a question without a word."""
        silent = time.monotonic() - self._heard >= TICK / 2
        return self._waiting and silent and bool(self._turn.run_log.state_events.open_approvals())

    def _give_up(self) -> None:
        self.gave_up = True
        self._turn.cut_stream()

    def _ask_if_silent(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > SILENCE:
            self._turn.cut_stream()  # it may be opened again
        if silent < self._limits.silence or self._turn.gateway_run_id is None:
            return
        if time.monotonic() - self._asked < self._limits.silence:
            return
        self._asked = time.monotonic()
        try:
            status = self._turn.gateway.status(self._turn.gateway_run_id)
        except GatewayError:
            return  # it may be restarting; the stream's own end tells
        self._waiting = status is not None and status.status == WAITING
        if status is None or (status.terminal and silent > LAST_WORDS):
            log.info("stream.silent_end run_id=%s silent=%.1f", self._turn.run_id, silent)
            self._give_up()


def send_stop(turn: Turn) -> None:
    """Say that the run is being stopped, once, and tell the gateway until it has heard."""
    if turn.stop_sent or turn.gateway_run_id is None:
        return
    say_stopping(turn)
    try:
        turn.gateway.stop(turn.gateway_run_id)
        turn.stop_sent = True
    except GatewayError as error:
        log.warning("stop.failed run_id=%s error=%s", turn.run_id, error)


def say_stopping(turn: Turn) -> None:
    """Tell clients once that the run is being stopped, if a person asked for it."""
    if not turn.stop_announced and not turn.timed_out:
        turn.stop_announced = True
        turn.run_log.add("abort.started", {})
