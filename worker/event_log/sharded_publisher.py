"""One publisher for each Redis server of the log: a slow server delays only its own sessions."""

from collections.abc import Callable

from shared.event_log.keys import RunKeys
from shared.event_log.shards import shard_of
from shared.event_log.store import EventLog
from worker.event_log.publisher import Publisher
from worker.event_log.run_log import RunLog


class ShardedPublisher:
    """The publishers of a process, started and stopped together."""

    def __init__(self, event_log: EventLog, make: Callable[[EventLog], Publisher]) -> None:
        """`make` builds the publisher of one server's log."""
        self.shards = [make(part) for part in event_log.split()]

    def start(self) -> None:
        """Begin to flush."""
        for publisher in self.shards:
            publisher.start()

    def stop(self) -> None:
        """Flush what waits, once, and end; see `Publisher.stop`."""
        for publisher in self.shards:
            publisher.stop()

    @property
    def healthy(self) -> bool:
        """Whether all of them live."""
        return all(publisher.healthy for publisher in self.shards)

    def open(self, run_log: RunLog) -> None:
        """See `Publisher.open`."""
        self.of(run_log.keys).open(run_log)

    def close(self, run_log: RunLog) -> None:
        """See `Publisher.close`."""
        self.of(run_log.keys).close(run_log)

    def of(self, keys: RunKeys) -> Publisher:
        """The publisher for the server that has this run's log."""
        return self.shards[shard_of(keys.tag, len(self.shards))]
