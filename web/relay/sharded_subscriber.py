"""The bells of all sessions: each is heard on the server that holds the session's log."""

import logging
from collections.abc import Callable, Sequence

from shared.event_log.clients import Commands, RedisError
from shared.event_log.shards import shard_of
from web.relay.subscriber import Subscriber

log = logging.getLogger(__name__)


class ShardedSubscriber:
    """One subscriber for each server. Start once, stop at will."""

    def __init__(
        self,
        commands: Sequence[Commands],
        subscribers: Sequence[Commands],
        on_notification: Callable[[str, bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        """Both sequences in the order of the log's servers; the rest as in Subscriptions."""
        self._commands = commands
        self.shards = [Subscriber(redis, on_notification, on_gap) for redis in subscribers]

    def start(self) -> None:
        """Begin to listen."""
        for shard in self.shards:
            shard.start()

    def stop(self) -> None:
        """Stop listening, and wait for the readers."""
        for shard in self.shards:
            shard.stop()

    def hears(self) -> bool:
        """Whether each heard its own word of late."""
        return all(shard.hears() for shard in self.shards)

    def channels(self) -> int:
        """How many bells it listens to."""
        return sum(shard.channels() for shard in self.shards)

    def add(self, tag: str) -> None:
        """Listen to a bell; returns when Redis has confirmed. Raises RedisAway."""
        self._of(tag).add(tag)

    def remove(self, tag: str) -> None:
        """Stop listening to a bell, some time soon."""
        self._of(tag).remove(tag)

    def echo(self) -> None:
        """Say a word on every server, to hear it."""
        for redis, shard in zip(self._commands, self.shards, strict=True):
            try:
                redis.publish(shard.echo, b"1")
            except (RedisError, OSError) as error:
                log.info("relay.echo_failed error=%s", type(error).__name__)

    def _of(self, tag: str) -> Subscriber:
        return self.shards[shard_of(tag, len(self.shards))]
