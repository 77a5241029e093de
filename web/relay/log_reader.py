"""Reads the logs that matter to a feed, in two round trips."""

from collections.abc import Iterable

from shared.event_log.store import EventLog
from shared.event_log.types import LogView
from web.relay.feed import Feed


class LogReader:
    """All methods raise RedisUnavailable and are called under the feed's lock."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    def read(self, feed: Feed, run_ids: Iterable[str], *, whole: bool) -> list[LogView]:
        """The logs of the session's live runs, of `run_ids`, and of runs that ended a moment ago
        without a notification: whole, or what members lack.

        A run that members watch and that is not live any more has ended: they lack its end.
        """
        known_runs = self._event_log.known([feed.tag])[0]
        feed.note_recent_ends(known_runs.ended)
        delivered = {} if whole else {run_id: c.seq for run_id, c in feed.cursors.items()}
        wanted = dict.fromkeys([*known_runs.live, *feed.unended(), *feed.behind, *run_ids])
        asked = [(feed.address.keys(run_id), delivered.get(run_id, 0)) for run_id in wanted]
        return [view for view in self._event_log.read(asked) if view is not None]

    def missing(self, feed: Feed) -> list[LogView]:
        """What members lack, with the end of a run that lies below what they have: it was fixed
        by a takeover which did not know of the last entries."""
        return [self._with_end(feed, view) for view in self.read(feed, (), whole=False)]

    def _with_end(self, feed: Feed, view: LogView) -> LogView:
        if not view.ended or view.entries:
            return view
        again = self._event_log.read([(feed.address.keys(view.run_id), 0)])[0]
        return again or view
