"""A feed: what one process keeps of one session while some of its sockets watch it."""

import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from shared.event_log.types import LogView
from shared.protocol.events import LogAppended, LogReinstalled, SessionNotification
from web.relay.cursor import RelayCursor
from web.relay.feed_address import FeedAddress

ENDED_RUNS = 64  # cursors kept of ended runs: a late notification of one delivers nothing twice

Notification = LogAppended | LogReinstalled | SessionNotification


class FeedClosed(Exception):
    """The feed was closed while another thread waited for its lock: open it again."""


@dataclass(eq=False)
class Feed:
    """Everything but `backlog` and `closed` is read and changed under `lock`."""

    address: FeedAddress
    tag: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    backlog: deque[Notification] = field(default_factory=deque)  # received, not yet handled
    members: set[str] = field(default_factory=set)  # sids
    muted: dict[str, set[str]] = field(default_factory=dict)  # run id -> sids that do not get it
    cursors: dict[str, RelayCursor] = field(default_factory=dict)  # by run id
    behind: set[str] = field(default_factory=set)  # runs of which members lack something
    recent_ends: Sequence[str] = ()  # runs that had ended a moment before the logs were read last
    needs_resync: bool = False
    pending_resync: set[str] = field(
        default_factory=set
    )  # sids that get no run before their resync
    filling: bool = False  # a thread is about to read what is missing
    idle_since: float = field(default_factory=time.monotonic)
    closed: bool = False

    def receivers(self, run_id: str) -> Collection[str]:
        """The members that get the entries of this run."""
        excluded = self.pending_resync | self.muted.get(run_id, set())
        return self.members - excluded if excluded else self.members

    def mark_for_resync(self, sids: Iterable[str]) -> None:
        """What these members have of a run cannot be continued: a resync comes first."""
        self.needs_resync = True
        self.pending_resync.update(self.members.intersection(sids))

    def resync_sent(self) -> None:
        """All members have the session as it is now."""
        self.needs_resync = False
        self.pending_resync.clear()

    def unended(self) -> list[str]:
        """The runs that members watch, and that have not ended for them."""
        return [run_id for run_id, cursor in list(self.cursors.items()) if not cursor.ended]

    def unseen_ends(self, ended: Iterable[str]) -> list[str]:
        """Those of the runs just ended of which no notification came. All that had ended when the
        last member joined are known, so these began and ended since, during a gap."""
        return [run_id for run_id in ended if run_id not in self.cursors]

    def note_recent_ends(self, ended: Iterable[str]) -> None:
        """These runs ended a moment ago: members lack the unseen ones, a socket that joins now
        does not."""
        self.recent_ends = list(ended)
        for run_id in self.unseen_ends(self.recent_ends):
            if self.members:
                self.behind.add(run_id)
            else:
                self.remember_end(run_id)

    def snap_to_head(self, view: LogView) -> None:
        """New members begin at the log's head."""
        self.cursors[view.run_id] = RelayCursor(view.epoch, view.head, view.fence, view.ended)

    def remember_end(self, run_id: str) -> None:
        """The run ended, and was announced, before it was watched here."""
        if run_id not in self.cursors:
            self.cursors[run_id] = RelayCursor(epoch=0, ended=True)

    def note_shown_ends(self, run_ids: Iterable[str]) -> None:
        """All members were shown that these runs have ended, whether or not there is a log."""
        for run_id in run_ids:
            if run_id in self.cursors:
                self.cursors[run_id].ended = True

    def move_to_newest(self, run_id: str) -> None:
        """Order cursors by when their runs ended: the first to end is the first to be dropped."""
        self.cursors[run_id] = self.cursors.pop(run_id)

    def drop_oldest_ends(self) -> None:
        """Keep memory bounded however many runs a session has."""
        ended = [run_id for run_id, cursor in self.cursors.items() if cursor.ended]
        for run_id in ended[: max(0, len(ended) - ENDED_RUNS)]:
            del self.cursors[run_id]
        for run_id in [r for r in self.muted if r in self.cursors and self.cursors[r].ended]:
            del self.muted[run_id]

    def remove(self, sid: str) -> None:
        """The socket is no member any more."""
        self.members.discard(sid)
        self.pending_resync.discard(sid)
        for sids in self.muted.values():
            sids.discard(sid)
        if not self.members:
            # Notifications are dropped from here on: the next member begins at the logs' heads.
            self.cursors.clear()
            self.muted.clear()
            self.behind.clear()
            self.idle_since = time.monotonic()
