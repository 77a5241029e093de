"""Ends a process that no longer hears its broker, or has lost a loop, so that another is started.

It is asked to stop as by SIGTERM: a worker hands over its runs. If the loop that is to
stop stands still as well, the process ends a while later all the same; its leases then lapse. So
does one that others asked to stop, and that waits for a broker which does not answer.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from shared.service import Service, periodic
from worker.liveness.silence import Silence

log = logging.getLogger(__name__)

CHECK_EVERY: Final = 3.0  # seconds
DEAF_AFTER: Final = 20.0  # seconds; a green consumer reconnects by itself within about fifteen
# One that waits in Celery's event loop never notices that its connection has fallen silent.
DEAF_AFTER_IN_EVENT_LOOP: Final = 12.0
LATELY: Final = 10.0  # seconds
HARD_END: Final = 1  # exit code


class Ear(Protocol):
    """What is listened to: `send` asks the broker, `is_full` says that nothing can be heard."""

    def send(self) -> bool: ...

    @property
    def is_full(self) -> bool: ...


class Watchdog:
    """One per process. `silence` is broken by whoever hears something."""

    def __init__(
        self,
        ear: Ear,
        silence: Silence,
        *,
        grace: float,
        dead_loops: Callable[[], Sequence[str]] = tuple,
        is_stopping: Callable[[], bool] = lambda: False,
        end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
        end_hard: Callable[[], None] = lambda: os._exit(HARD_END),
    ) -> None:
        """`grace`: seconds between `end`, or a stop by others, and `end_hard`. `dead_loops`: the
        names of loops of the process that ended though nobody stopped them. `is_stopping`: the
        process was asked to stop by others, and takes no messages any more."""
        self._ear = ear
        self._silence = silence
        self._grace = grace
        self._dead_loops = dead_loops
        self._is_stopping = is_stopping
        self._end = end
        self._end_hard = end_hard
        self._ended_at: float | None = None
        self._service: Service = periodic("watchdog", self.check, CHECK_EVERY)

    def start(self) -> None:
        """Begin to listen."""
        self._silence.heard(time.monotonic())
        self._service.start()

    def stop(self) -> None:
        """End."""
        self._service.stop()

    @property
    def healthy(self) -> bool:
        """Whether its own loop lives."""
        return self._service.healthy

    @property
    def hears(self) -> bool:
        """Whether messages are heard."""
        return not self._silence.is_deaf(time.monotonic())

    @property
    def has_heard_lately(self) -> bool:
        """Whether the last few messages were heard."""
        return self._silence.seconds(time.monotonic()) < LATELY

    def check(self) -> None:
        """Listen once, and end the process if nothing was heard for too long."""
        now = time.monotonic()
        if self._ended_at is not None:
            if now - self._ended_at > self._grace:
                log.critical("worker.stuck grace=%.0f", self._grace)
                self._end_hard()
        elif self._is_stopping():
            self._ended_at = now
        elif dead := self._dead_loops():
            log.critical("worker.service_ended names=%s", ",".join(dead))
            self._end_now(now)
        elif not self._hears():
            log.critical("worker.deaf seconds=%.0f", self._silence.seconds(now))
            self._end_now(now)

    def _hears(self) -> bool:
        if self._ear.is_full:
            self._silence.heard(time.monotonic())
        else:
            answered = self._ear.send()
            self._silence.asked(time.monotonic(), answered=answered)
        return self.hears

    def _end_now(self, now: float) -> None:
        self._ended_at = now
        self._end()
