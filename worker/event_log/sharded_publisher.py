"""One publisher for each server of the log: a slow server delays only its own sessions."""

from collections.abc import Callable

from shared.event_log.shards import shard_of
from shared.event_log.store import EventLog
from worker.event_log.publisher import Publisher
from worker.event_log.run_log import RunLog


class ShardedPublisher:
    """Start once, `stop` flushes and joins; see Publisher."""

    def __init__(self, event_log: EventLog, make: Callable[[EventLog], Publisher]) -> None:
        """`make` builds the publisher of one server's log."""
        self.shards = [make(part) for part in event_log.split()]

    def start(self) -> None:
        """Begin to flush."""
        for publisher in self.shards:
            publisher.start()

    def stop(self) -> None:
        """Flush what waits, once, and end."""
        for publisher in self.shards:
            publisher.stop()

    def open(self, run_log: RunLog) -> None:
        """From now on flush what is added to this log."""
        self._of(run_log).open(run_log)

    def close(self, run_log: RunLog) -> None:
        """The run is over, or no longer ours."""
        self._of(run_log).close(run_log)

    def _of(self, run_log: RunLog) -> Publisher:
        return self.shards[shard_of(run_log.keys.tag, len(self.shards))]
