"""Celery's scheduler on a clock that may be set back.

Celery keeps, in a file, when each task was last sent, and in memory when it is due, both by the
wall clock. After that was set back by an hour it would send nothing for an hour, also after a
restart. Here a time in the future counts as now, and the plan is made anew when the clock was set
back.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.beat import PersistentScheduler

log = logging.getLogger(__name__)

SET_BACK = 1.0  # seconds by which the wall clock fell behind the monotonic one


class SteadyScheduler(PersistentScheduler):
    """Sends each task within its interval, however the clock is set."""

    _wall: Callable[[], float] = staticmethod(time.time)
    _ahead: float | None = None  # of the monotonic clock

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Do one iteration; return the seconds to the next one, at most `max_interval`."""
        ahead = self._wall() - time.monotonic()
        if self._ahead is None or ahead < self._ahead - SET_BACK:
            self._begin_now()
        self._ahead = ahead
        pause: float = super().tick(*arguments, **options)
        return pause

    def _begin_now(self) -> None:
        """Count times in the future as now, and plan anew."""
        for entry in self.schedule.values():
            now = entry.default_now()
            if entry.last_run_at > now:
                log.warning("beat.clock_set_back task=%s", entry.task)
                entry.last_run_at = now
        self._heap = None


def scheduler(on_tick: Callable[[], None]) -> type[SteadyScheduler]:
    """A scheduler that calls `on_tick` after each iteration."""

    class Ticking(SteadyScheduler):
        def tick(self, *arguments: Any, **options: Any) -> float:
            pause = super().tick(*arguments, **options)
            on_tick()
            return pause

    return Ticking
