"""Writes joins of recoverable sockets into their records: the `JoinJournal` of web/resume."""

from collections.abc import Sequence
from contextlib import suppress

from shared.errors import RedisUnavailable
from web.recovery.store import RecoveryStore
from web.relay.feed_address import FeedAddress
from web.sockets.emitter_protocol import Positions


class RecoveryJournal:
    """Sockets that cannot be recovered have no tracker; for them nothing is written."""

    def __init__(self, store: RecoveryStore) -> None:
        self._store = store

    def join(
        self, sid: str, address: FeedAddress, at: Positions, seen: Sequence[str], shown_by: str
    ) -> int:
        """See `JoinJournal`. Returns when Redis has it."""
        tracker = self._store.trackers.get(sid)
        if tracker is None:
            return 0
        mark = tracker.join(address, at, seen, shown_by=shown_by)
        self._store.save(sid)
        return mark

    def leave(self, sid: str, tag: str) -> None:
        """See `JoinJournal`; saved a moment later."""
        if (tracker := self._store.trackers.get(sid)) is not None:
            tracker.leave(tag)

    def mute(self, sid: str, tag: str, run_id: str) -> None:
        """See `JoinJournal`."""
        if (tracker := self._store.trackers.get(sid)) is not None:
            tracker.mute(tag, run_id)
            with suppress(RedisUnavailable):  # then a moment later
                self._store.save(sid)

    def unmute(self, sid: str, tag: str) -> None:
        """See `JoinJournal`; saved with the join that follows."""
        if (tracker := self._store.trackers.get(sid)) is not None:
            tracker.unmute(tag)
