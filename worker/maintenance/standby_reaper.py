"""When the reaper last ticked, and the ticks of a worker when nobody else's come (R34).

Beat sends a task for each tick, and a maintenance process does it. If one of the two is dead, the
runs of dead workers would never be taken over. So each tick leaves a mark in Redis that expires.
Each worker of runs tries to set it again in each interval; the one that finds it gone ticks.
"""

import logging

from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import LAST_TICK
from shared.metrics import worker as metrics
from shared.service import Service, periodic
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.maintenance.reaper import Reaper
from worker.services import Services

log = logging.getLogger(__name__)

MISSED = 2  # intervals without a tick, after which a worker does it


class LastTick:
    """The mark of the last tick, a Redis key that expires after MISSED intervals of `every`
    seconds."""

    def __init__(self, redis: Commands, every: float, name: str) -> None:
        self._redis = redis
        self._life = int(MISSED * every * 1000)  # milliseconds
        self._name = name

    def record(self) -> None:
        """Note that a tick happens now."""
        try:
            self._redis.set(LAST_TICK, self._name, px=self._life)
        except RedisError as error:
            # At worst a worker ticks as well.
            log.info("reaper.tick_not_recorded error=%s", type(error).__name__)

    def claim_missed(self) -> bool:
        """Whether the last MISSED ticks did not happen and this process is to do one. Of several
        callers one gets True, since the mark is set only where there is none."""
        try:
            missed = bool(self._redis.set(LAST_TICK, self._name, px=self._life, nx=True))
            if not missed and self._redis.pttl(LAST_TICK) > self._life:
                # Redis counts by the wall clock, which was set back since the mark was set.
                self._redis.pexpire(LAST_TICK, self._life)
            return missed
        except RedisError:
            return False  # without Redis no message could be sent anyway


class StandbyReaper:
    """In every worker of runs: ticks when beat or maintenance is dead. Survives every error."""

    def __init__(self, services: Services, last_tick: LastTick) -> None:
        self._services = services
        self._reaper = Reaper(services)
        self._last_tick = last_tick
        every = services.settings.reap_every.total_seconds()
        self._service: Service = periodic("standby-reaper", self.tick_if_missed, every)

    def start(self) -> None:
        """Begin to watch the ticks."""
        self._service.start()

    def stop(self) -> None:
        """End, after the tick that is under way."""
        self._service.stop()

    @property
    def healthy(self) -> bool:
        """Whether its loop lives; see `Service.healthy`."""
        return self._service.healthy

    def tick_if_missed(self) -> None:
        """Tick, if no other process does."""
        self._reaper.check_contact()
        if not self._last_tick.claim_missed():
            return
        log.warning("reaper.stood_in worker=%s", self._services.name)
        metrics.STOOD_IN.inc()
        self._reaper.tick()
        check_orphaned_runs(self._services)
