"""The relay's clock: proves that notifications arrive, finds what was missed, closes idle feeds."""

import logging
import time
from collections.abc import Callable

from shared.errors import RedisUnavailable
from shared.event_log.clients import RedisError
from shared.event_log.store import EventLog
from shared.service import Service, periodic
from web.relay.feed import Feed
from web.relay.feeds import Feeds
from web.relay.gap_check import note_behind
from web.relay.lost_ends import LostEnds
from web.relay.sharded_subscriber import ShardedSubscriber

log = logging.getLogger(__name__)

SWEEP_EVERY = 5.0  # seconds
ECHO_EVERY = 2.0  # seconds
TICK = 0.25  # seconds


class Sweeper:
    """Every few seconds, and at once after a gap, compares all watched feeds with their logs."""

    def __init__(
        self,
        event_log: EventLog,
        feeds: Feeds,
        subscriber: ShardedSubscriber,
        *,
        fill: Callable[[Feed], None],
        lost_ends: LostEnds,
        every: float,
    ) -> None:
        """`fill(feed)` has what the feed lacks read soon. `every`: seconds."""
        self._logs = event_log.split()
        self._feeds = feeds
        self._subscriber = subscriber
        self._fill = fill
        self._lost_ends = lost_ends
        self._every = every
        self._at_once = True
        self._swept_at = self._echoed_at = 0.0
        self.service: Service = periodic("relay-tick", self._tick_safely, TICK)

    def soon(self) -> None:
        """Sweep with the next tick."""
        self._at_once = True

    def sweep(self) -> None:
        """Fill what lags behind its log. Raises RedisUnavailable after all servers were asked."""
        feeds = self._feeds.watched()
        without_log: list[str] = []
        try:
            note_behind(self._logs, feeds, without_log)
        finally:
            self._lost_ends.ask_soon(without_log)
            for feed in feeds:
                if feed.behind or feed.needs_resync:
                    self._fill(feed)

    def _tick_safely(self) -> None:
        try:
            self._tick(time.monotonic())
        except (RedisUnavailable, RedisError, OSError) as error:
            log.info("relay.tick_failed error=%s", type(error).__name__)

    def _tick(self, now: float) -> None:
        self._feeds.close_idle(now)
        if now - self._echoed_at >= ECHO_EVERY:
            self._echoed_at = now
            self._subscriber.echo()
        if self._at_once or now - self._swept_at >= self._every:
            self._at_once, self._swept_at = False, now
            self.sweep()
