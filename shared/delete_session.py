"""Deleting a session while others may work on it (P28).

Its runs are asked to stop and get a bounded time for it; then all rows are deleted in one
transaction, then the logs; last, `session.deleted` is published to the sockets that watch it.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice

from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.delete_session import Removed, remove, remove_idle, stop_runs
from shared.db.locks import try_lock_sessions
from shared.errors import HoldfastError, NotFound, RedisUnavailable, Unavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import RunKeys, feed_tag, live_runs
from shared.event_log.session_events import publish_session_event
from shared.event_log.store import EventLog
from shared.run_end import announce_all
from shared.task_queue import TaskQueue

log = logging.getLogger(__name__)

POLL_EVERY = 0.1  # seconds, while runs are being stopped
KEYS_AT_ONCE = 300


class SessionDeleter:
    """Deletes sessions, with everything that is kept of them.

    `commands` is a client of the Redis of the control channel. The keys of logs are deleted through
    it, too; those on other log servers expire.
    """

    def __init__(
        self, db: Database, event_log: EventLog, commands: Commands, queue: TaskQueue
    ) -> None:
        self._db = db
        self._event_log = event_log
        self._commands = commands
        self._queue = queue

    def delete(self, owner: str, session_id: str, *, within: float) -> Removed:
        """Stop the runs of the session and delete it.

        A live run that has not ended after `within` seconds is removed as it is; its owner finds
        out at its next write. Raises NotFound, DatabaseUnavailable; RedisUnavailable before
        anything is deleted. If Redis fails after that, the logs are left to expire.
        """
        deadline = time.monotonic() + within
        asked: set[str] = set()
        while True:
            force = time.monotonic() >= deadline
            self._end_runs(owner, session_id, asked)
            removed = self._remove_rows(owner, session_id, force=force)
            if removed is not None:
                break
            time.sleep(POLL_EVERY)
        return self._removed(owner, session_id, removed)

    def delete_idle(
        self,
        owner: str,
        session_ids: Collection[str],
        which: Callable[[Session, Collection[str]], Collection[str]],
    ) -> set[str]:
        """Delete, in one transaction, those of the sessions that `which` allows in it, and of which
        no run is open or has an end that clients do not know; return these. Sessions in which
        somebody is doing something at this moment stay. Raises DatabaseUnavailable."""

        def work(tx: Session) -> dict[str, Removed]:
            locked = try_lock_sessions(tx, owner, session_ids)
            return remove_idle(tx, owner, which(tx, locked))

        removed = self._db.write(work)
        for session_id, of_it in removed.items():
            self._removed(owner, session_id, of_it)
        return {*removed}

    def _removed(self, owner: str, session_id: str, removed: Removed) -> Removed:
        """Delete the logs, and say that it is gone."""
        log.info(
            "session.deleted runs=%s forced=%s messages=%s",
            len(removed.run_ids),
            len(removed.forced),
            removed.messages,
        )
        self._delete_logs(feed_tag(owner, session_id, ""), removed.run_ids)
        publish_session_event(
            self._event_log, "session.deleted", owner=owner, session_id=session_id
        )
        return removed

    def delete_all(
        self, owner: str, session_ids: Iterable[str], *, within: float
    ) -> dict[str, Removed | HoldfastError]:
        """Delete several sessions, as `delete` does, all of them together in `within` seconds.

        Returns what was deleted, or why nothing was, of each id: NotFound, or that a service does
        not answer. All live runs are asked to stop before the first session goes.
        """
        deadline = time.monotonic() + within
        names = list(dict.fromkeys(session_ids))
        with suppress(Unavailable):  # then it is said of each
            self._ask_all(owner, names)
        results: dict[str, Removed | HoldfastError] = {}
        for name in names:
            try:
                left = max(0.0, deadline - time.monotonic())
                results[name] = self.delete(owner, name, within=left)
            except (NotFound, Unavailable) as error:
                results[name] = error
        return results

    def _ask_all(self, owner: str, names: Iterable[str]) -> None:
        for name in names:
            with suppress(NotFound):
                self._end_runs(owner, name, set())

    def _end_runs(self, owner: str, session_id: str, asked: set[str]) -> None:
        """Cancel what is queued, ask to stop what is live, announce what has ended.

        `asked`: live runs whose workers were notified before; they are not notified again.
        """
        stopping = self._db.write(lambda tx: stop_runs(tx, owner, session_id))
        for run_id in stopping.live:
            if run_id not in asked:
                asked.add(run_id)
                self._notify_workers(run_id)
        announce_all(self._db, self._event_log, stopping.unannounced_runs)

    def _notify_workers(self, run_id: str) -> None:
        """Hint at the stop that is written in the run's row, on both ways (R9)."""
        try:
            control = self._event_log.channels_on(self._commands).control
            self._commands.publish(control, f"stop {run_id}")
        except RedisError as error:
            raise RedisUnavailable from error
        self._queue.stop_run(run_id)

    def _remove_rows(self, owner: str, session_id: str, *, force: bool) -> Removed | None:
        return self._db.write(lambda tx: remove(tx, owner, session_id, force=force))

    def _delete_logs(self, tag: str, run_ids: Iterable[str]) -> None:
        try:
            names = _key_names(tag, run_ids)
            while chunk := list(islice(names, KEYS_AT_ONCE)):
                self._commands.unlink(*chunk)
        except RedisError as error:
            log.warning("session.logs_left error=%s", type(error).__name__)


def _key_names(tag: str, run_ids: Iterable[str]) -> Iterator[str]:
    yield live_runs(tag)
    for run_id in run_ids:
        keys = RunKeys(tag, run_id)
        yield from (keys.log, keys.meta, keys.checkpoint)
