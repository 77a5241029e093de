"""The reaper's clock: who ticked last, and the tick of a worker when nobody else does (R34)."""

import logging
import threading

from shared.errors import Unavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import LAST_TICK
from worker.maintenance.orphaned_runs import check_orphaned_runs
from worker.maintenance.reaper import Reaper
from worker.services import Services

log = logging.getLogger(__name__)

TICKS = 2  # after so many without one the clock has stopped


class LastTick:
    """The mark of the last tick, in Redis; it goes away by itself after two intervals."""

    def __init__(self, redis: Commands, every: float, name: str) -> None:
        self._redis = redis
        self._life = int(TICKS * every * 1000)  # milliseconds
        self._name = name

    def note(self) -> None:
        """A tick happens now."""
        try:
            self._redis.set(LAST_TICK, self._name, px=self._life)
        except RedisError as error:
            log.info("tick.unmarked error=%s", type(error).__name__)  # at worst one tick too many

    def take_over(self) -> bool:
        """Whether there was none for two intervals, and nobody else sees to it. One of many gets
        True: the mark is set only where there is none."""
        try:
            return bool(self._redis.set(LAST_TICK, self._name, px=self._life, nx=True))
        except RedisError:
            return False  # without Redis nobody could be told of a run


class StandbyTicker:
    """In every worker of runs: ticks when beat or maintenance is dead. Survives every error."""

    def __init__(self, services: Services, last_tick: LastTick) -> None:
        self._services = services
        self._reaper = Reaper(services)
        self._last_tick = last_tick
        self._every = services.settings.reap_every.total_seconds()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby-ticker", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self.look()
            except Exception:  # the edge of the loop: the next look may go well (F33)
                log.exception("tick.failed")

    def look(self) -> None:
        """Tick, if nobody does."""
        self._reaper.keep_contact()
        if not self._last_tick.take_over():
            return
        log.warning("tick.stood_in worker=%s", self._services.name)
        self._reaper.tick()
        try:
            check_orphaned_runs(self._services)
        except Unavailable as error:
            log.warning("chase.waiting error=%s", type(error).__name__)
