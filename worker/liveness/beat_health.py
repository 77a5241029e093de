"""The checks of beat for `holdfast probe`. A beat that stands still ends, and is started again."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Final

from shared.event_log.clients import RedisError, command_client
from shared.probes.pulse import Pulse
from shared.service import Service, periodic
from shared.settings import Settings
from worker.liveness.silence import Silence

log = logging.getLogger(__name__)

CHECK_EVERY: Final = 3.0  # seconds
STUCK_AFTER: Final = 30.0  # seconds; beat ticks each second, and waits while Redis is away


class BeatHealth:
    """One per beat. `ticked` is called after each iteration of its schedule."""

    def __init__(self, settings: Settings) -> None:
        self._redis = command_client(settings.redis_url, connections=2)
        self._silence = Silence(STUCK_AFTER, time.monotonic())
        self._answers = False
        self._watchdog: Service = periodic("watchdog", self.check, CHECK_EVERY)
        self._pulse = Pulse("beat", settings.home, live=self._live, ready=self._ready)

    def start(self) -> None:
        """Begin. It ends with the process."""
        self._watchdog.start()
        self._pulse.start()

    def ticked(self) -> None:
        """Note that the schedule was gone through."""
        self._silence.heard(time.monotonic())

    def check(self) -> None:
        """Look once whether Redis answers and beat does not go on; then end the process."""
        try:
            self._answers = bool(self._redis.ping())
        except (RedisError, OSError):
            self._answers = False
        now = time.monotonic()
        self._silence.asked(now, answered=self._answers)
        if self._silence.is_deaf(now):
            log.critical("beat.stuck seconds=%.0f", self._silence.seconds(now))
            os._exit(1)

    def _live(self) -> Mapping[str, bool]:
        goes_on = not self._silence.is_deaf(time.monotonic())
        return {"watchdog": self._watchdog.healthy, "schedule": goes_on}

    def _ready(self) -> Mapping[str, bool]:
        return {"redis": self._answers}
