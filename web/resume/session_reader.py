"""Reads what the database says of a session, after its ended runs were announced (R20)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.sessions.read import (
    PAGE,
    Conversation,
    RunInfo,
    live_sessions,
    read_conversation,
    read_run,
    recent_runs,
)
from shared.event_log.store import EventLog
from shared.run_end import announce, announce_again
from web.relay.feed_address import FeedAddress

T = TypeVar("T")


class SessionReader:
    """All methods raise DatabaseUnavailable; those that announce raise RedisUnavailable too."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log

    def conversation(self, address: FeedAddress, messages: int = PAGE) -> Conversation:
        """The session as its rows are now, with at most so many messages; of a run without session,
        that run."""
        return self._db.read(lambda tx: _conversation(tx, address, messages))

    def announced_conversation(self, address: FeedAddress, messages: int = PAGE) -> Conversation:
        """The same, after ends were announced that clients have not been sent."""
        return self._announced(
            lambda: self.conversation(address, messages), Conversation.unannounced_runs
        )

    def live(self) -> set[tuple[str, str]]:
        """Owner and id of the sessions that have a live run."""
        return self._db.single(live_sessions)

    def runs(self, address: FeedAddress) -> dict[str, RunInfo]:
        """The open runs and the newest ended ones."""
        return self._db.single(lambda tx: _runs(tx, address))

    def announced_runs(self, address: FeedAddress) -> dict[str, RunInfo]:
        """The same, after ends were announced that clients have not been sent."""
        return self._announced(lambda: self.runs(address), _unannounced)

    def announce_again(self, run_ids: Sequence[str]) -> None:
        """Announce the ends of those of these runs that have ended, also if that was done before:
        Redis may have lost them since."""
        announce_again(self._db, self._event_log, run_ids)

    def _announced(self, read: Callable[[], T], unannounced: Callable[[T], Sequence[str]]) -> T:
        found = read()
        if run_ids := unannounced(found):
            for run_id in run_ids:
                announce(self._db, self._event_log, run_id)
            found = read()
        return found


def _unannounced(runs: dict[str, RunInfo]) -> list[str]:
    return Conversation(runs=runs).unannounced_runs()


def _conversation(tx: Session, address: FeedAddress, messages: int) -> Conversation:
    if address.session_id is None:
        return read_run(tx, address.owner, address.run_id or "")
    return read_conversation(tx, address.owner, address.session_id, messages)


def _runs(tx: Session, address: FeedAddress) -> dict[str, RunInfo]:
    if address.session_id is None:
        return read_run(tx, address.owner, address.run_id or "").runs
    return recent_runs(tx, address.owner, address.session_id)
