"""Deleting a session while others may work on it: stop, wait a bounded time, remove, tell (P28)."""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from shared.db.database import Database
from shared.db.delete_session import Removed, remove, stop_runs
from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import CONTROL, RunKeys, feed_tag, live_runs
from shared.event_log.store import EventLog
from shared.protocol.events import session_notification
from shared.run_end import announce
from shared.task_queue import TaskQueue

log = logging.getLogger(__name__)

LOOK = 0.1  # seconds between looks at runs that are being stopped
KEYS_AT_ONCE = 300


@dataclass(frozen=True)
class Reach:
    """What a removal works with."""

    db: Database
    log: EventLog
    commands: Commands
    queue: TaskQueue


def remove_session(reach: Reach, owner: str, session_id: str, patience: float) -> Removed:
    """Stop the session's runs and delete it. A live run that has not ended after `patience`
    seconds is removed as it is; its owner finds out with its next write.

    Raises NotFound, DatabaseAway; RedisAway before anything is deleted. If Redis goes away after
    that, the logs are left to end by themselves.
    """
    deadline = time.monotonic() + patience
    told: set[str] = set()
    while True:
        late = time.monotonic() >= deadline
        _end_runs(reach, owner, session_id, told)
        removed = reach.db.write(lambda s: remove(s, owner, session_id, force=late))  # noqa: B023
        if removed is not None:
            break
        time.sleep(LOOK)
    log.info(
        "session.deleted runs=%s forced=%s messages=%s",
        len(removed.run_ids),
        len(removed.forced),
        removed.messages,
    )
    _clear(reach, owner, session_id, removed.run_ids)
    return removed


def _end_runs(reach: Reach, owner: str, session_id: str, told: set[str]) -> None:
    """One look: stop what is live, take back what waits, announce what has ended."""
    stopping = reach.db.write(lambda tx: stop_runs(tx, owner, session_id))
    for run_id in stopping.live:
        if run_id not in told:
            told.add(run_id)
            _tell_workers(reach, run_id)
    for run_id in stopping.unannounced_runs:
        announce(reach.db, reach.log, run_id)


def _tell_workers(reach: Reach, run_id: str) -> None:
    """Both are hints; the flag in the row is what counts (R9)."""
    try:
        reach.commands.publish(CONTROL, f"stop {run_id}")
    except RedisError as error:
        raise RedisUnavailable from error
    reach.queue.stop_run(run_id)


def _clear(reach: Reach, owner: str, session_id: str, run_ids: Iterable[str]) -> None:
    tag = feed_tag(owner, session_id, "")
    payload = {"event": "session.deleted", "session_id": session_id}
    try:
        for names in _chunks(_key_names(tag, run_ids)):
            reach.commands.unlink(*names)
        reach.log.notify(tag, session_notification("session.deleted", payload))
    except (RedisError, RedisUnavailable) as error:
        log.warning("session.logs_left error=%s", type(error).__name__)


def _key_names(tag: str, run_ids: Iterable[str]) -> Iterator[str]:
    yield live_runs(tag)
    for run_id in run_ids:
        keys = RunKeys(tag, run_id)
        yield from (keys.log, keys.meta, keys.checkpoint)


def _chunks(names: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(names, KEYS_AT_ONCE)):
        yield chunk
