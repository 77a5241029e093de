"""The checks of a worker process for `holdfast probe`, and the watchdog that they look at."""

import time
from collections.abc import Callable, Mapping

from celery import Celery
from sqlalchemy import text

from shared.errors import HoldfastError
from shared.event_log.clients import RedisError, command_client
from shared.probes.pulse import Pulse
from worker.liveness.consumer_echo import ConsumerEcho
from worker.liveness.silence import Silence
from worker.liveness.watchdog import DEAF_AFTER, Watchdog
from worker.services import Services

MARGIN = 30.0  # seconds after the drain, in which the process hands over what it has


class ProcessHealth:
    """Pulse and watchdog of one Celery worker: `start` when it is ready, `stop` when it ends."""

    def __init__(
        self,
        role: str,
        app: Celery,
        services: Services,
        loops: Mapping[str, Callable[[], bool]],
        deaf_after: float = DEAF_AFTER,
    ) -> None:
        """`loops`: name -> whether it lives, of the loops that the process cannot do without.
        `deaf_after`: seconds without an echo after which the process ends."""
        self._loops = loops
        self._services = services
        self._redis = command_client(services.settings.redis_url)
        silence = Silence(deaf_after, time.monotonic())
        name = services.name.rpartition(":")[2]
        self._echo = ConsumerEcho(app, name, lambda: silence.heard(time.monotonic()))
        self._echo.register()
        self._watchdog = Watchdog(
            self._echo,
            silence,
            dead_loops=lambda: [name for name, lives in loops.items() if not lives()],
            grace=services.settings.drain.total_seconds() + MARGIN,
            is_stopping=lambda: services.draining,
        )
        self._pulse = Pulse(role, services.settings.home, live=self._live, ready=self._ready)

    def start(self, consumer: object) -> None:
        """Begin, with the consumer that Celery made."""
        self._echo.attach(consumer)
        self._watchdog.start()
        self._pulse.start()

    def stop(self) -> None:
        """End."""
        self._watchdog.stop()
        self._pulse.stop()

    def _live(self) -> Mapping[str, bool]:
        """One that is on its way out takes its time, and must not be killed meanwhile."""
        hears = self._services.draining or self._watchdog.hears
        loops = {name: lives() for name, lives in self._loops.items()}
        return {"watchdog": self._watchdog.healthy, "consumer": hears, **loops}

    def _ready(self) -> Mapping[str, bool]:
        return {
            "redis": self._redis_answers(),
            "database": self._database_answers(),
            "consumer": self._watchdog.has_heard_lately,
            "stays": not self._services.draining,
        }

    def _redis_answers(self) -> bool:
        try:
            return bool(self._redis.ping())
        except (RedisError, OSError):
            return False

    def _database_answers(self) -> bool:
        try:
            self._services.db.read(lambda tx: tx.execute(text("SELECT 1")).scalar())
        except (HoldfastError, OSError):
            return False
        return True
