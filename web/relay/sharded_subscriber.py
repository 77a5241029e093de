"""Subscribes to sessions on several servers: each on the server that holds the session's log."""

import logging
import time
from collections.abc import Callable, Sequence

from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import Channels
from shared.event_log.shards import shard_of
from shared.service import Service
from web.relay.subscriber import Subscriber

log = logging.getLogger(__name__)


class ShardedSubscriber:
    """One subscriber for each server."""

    def __init__(
        self,
        commands: Sequence[Commands],
        subscribers: Sequence[Commands],
        channels: Sequence[Channels],
        *,
        on_notification: Callable[[str, bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        """All sequences in the order of the log's servers; the callbacks as in Subscriber."""
        self._commands = commands
        self.shards = [
            Subscriber(
                redis,
                of_server,
                f"relay-reader-{number}",
                on_notification=on_notification,
                on_gap=on_gap,
            )
            for number, (redis, of_server) in enumerate(zip(subscribers, channels, strict=True))
        ]

    @property
    def services(self) -> list[Service]:
        """The reader of each server."""
        return [shard.service for shard in self.shards]

    def receives(self) -> bool:
        """Whether each of them received its own echo of late."""
        return all(shard.receives() for shard in self.shards)

    def channels(self) -> int:
        """How many channels are subscribed."""
        return sum(shard.channels() for shard in self.shards)

    def add(self, tag: str) -> None:
        """Subscribe; returns when Redis has confirmed. Raises RedisUnavailable."""
        self._of(tag).add(tag)

    def remove(self, tag: str) -> None:
        """Unsubscribe, some time soon."""
        self._of(tag).remove(tag)

    def echo(self) -> None:
        """Publish on every server what its subscriber should receive back."""
        for redis, shard in zip(self._commands, self.shards, strict=True):
            try:
                redis.publish(shard.echo, repr(time.monotonic()))
            except (RedisError, OSError) as error:
                log.info("relay.echo_failed error=%s", type(error).__name__)

    def _of(self, tag: str) -> Subscriber:
        return self.shards[shard_of(tag, len(self.shards))]
