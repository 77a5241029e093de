"""A feed: what one process keeps of one session while some of its sockets watch it."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import LogView
from shared.protocol.events import LogAppended, LogReinstalled, SessionNotification
from web.relay.cursor import RelayCursor

ENDED_KEPT = 64  # runs remembered after their end, so that a late doorbell says nothing twice

Bell = LogAppended | LogReinstalled | SessionNotification


class FeedClosed(Exception):
    """The feed was given up while somebody wanted to join it: open it again."""


@dataclass(frozen=True)
class FeedAddress:
    """A session of an owner; or, without session, one run of an owner (R32)."""

    owner: str
    session_id: str | None
    run_id: str | None = None

    @property
    def tag(self) -> str:
        """Its name in Redis."""
        return feed_tag(self.owner, self.session_id, self.run_id or "")

    def keys(self, run_id: str) -> RunKeys:
        """The log of one of its runs."""
        return RunKeys(self.tag, run_id)


@dataclass(eq=False)
class Feed:
    """Everything but `backlog` and `closed` is read and changed under `lock`."""

    address: FeedAddress
    tag: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    backlog: deque[Bell] = field(default_factory=deque)  # heard, not yet handled
    members: set[str] = field(default_factory=set)  # sids
    muted: dict[str, set[str]] = field(default_factory=dict)  # run id -> sids that don't hear it
    cursors: dict[str, RelayCursor] = field(default_factory=dict)  # by run id
    behind: set[str] = field(default_factory=set)  # runs of which something is missing
    needs_resync: bool = False  # members are owed a resync
    pending_resync: set[str] = field(
        default_factory=set
    )  # sids that hear of no run until they had it
    filling: bool = False
    idle_since: float = field(default_factory=time.monotonic)
    closed: bool = False

    def listeners(self, run_id: str) -> set[str]:
        """The members that hear this run."""
        deaf = self.pending_resync | self.muted.get(run_id, set())
        return self.members - deaf if deaf else self.members

    def mark_for_resync(self, sids: Iterable[str]) -> None:
        """What these members have of a run cannot be continued: a resync comes first."""
        self.needs_resync = True
        self.pending_resync.update(self.members.intersection(sids))

    def settled(self) -> None:
        """All members were told everything anew."""
        self.needs_resync = False
        self.pending_resync.clear()

    def unended(self) -> list[str]:
        """The runs that members watch, and that have not ended for them."""
        return [run_id for run_id, cursor in list(self.cursors.items()) if not cursor.ended]

    def unseen_ends(self, ended: Iterable[str]) -> list[str]:
        """Those of the runs just ended of which nothing was heard: all that had ended when the
        last member joined are known, so they began and ended since, while nobody listened."""
        return [run_id for run_id in ended if run_id not in self.cursors]

    def take_ends(self, ended: Iterable[str]) -> None:
        """These runs ended a moment ago: members lack the unheard ones, who joins now does not."""
        for run_id in self.unseen_ends(ended):
            if self.members:
                self.behind.add(run_id)
            else:
                self.remember_end(run_id)

    def snap_to_head(self, view: LogView) -> None:
        """New members take the log's head as their starting point."""
        self.cursors[view.run_id] = RelayCursor(view.epoch, view.head, view.fence, view.ended)

    def remember_end(self, run_id: str) -> None:
        """A run ended and was told before anybody here looked."""
        if run_id not in self.cursors:
            self.cursors[run_id] = RelayCursor(epoch=0, ended=True)

    def note_end(self, run_id: str) -> None:
        """What ended last is forgotten last, however early it began."""
        self.cursors[run_id] = self.cursors.pop(run_id)

    def forget_oldest(self) -> None:
        """Keep memory bounded however many runs a session has."""
        ended = [run_id for run_id, cursor in self.cursors.items() if cursor.ended]
        for run_id in ended[: max(0, len(ended) - ENDED_KEPT)]:
            del self.cursors[run_id]
        for run_id in [r for r in self.muted if r in self.cursors and self.cursors[r].ended]:
            del self.muted[run_id]

    def remove(self, sid: str) -> None:
        """The socket is gone."""
        self.members.discard(sid)
        self.pending_resync.discard(sid)
        for sids in self.muted.values():
            sids.discard(sid)
        if not self.members:
            # Nobody follows the runs from here on: the next one to join begins at their heads.
            self.cursors.clear()
            self.muted.clear()
            self.behind.clear()
            self.idle_since = time.monotonic()
