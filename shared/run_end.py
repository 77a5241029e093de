"""Announcing the end of a run to clients: its last entries go into the log and are published (R20).

The end stands in the database first, with these entries and their seqs. So any process may
announce it: the worker that wrote it, the reaper, a web process that serves a `resume`. Announcing
it twice has the same effect as once.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from shared.db.database import Database
from shared.db.runs.terminal import (
    Announcement,
    announcement,
    ended_among,
    mark_announced,
    mark_announced_before,
)
from shared.event_log.store import EventLog
from shared.protocol import events


def announce(db: Database, event_log: EventLog, run_id: str) -> bool:
    """Announce the end of the run, unless that was done before; False while it has no end.

    Raises RedisUnavailable or DatabaseUnavailable; the reaper tries again.
    """
    end = db.read(lambda tx: announcement(tx, run_id))
    if end is None:
        return False
    if not end.announced:
        announce_end(db, event_log, end)
    return True


def announce_all(db: Database, event_log: EventLog, run_ids: Iterable[str]) -> None:
    """Announce the end of each run that has one, in this order.

    Raises RedisUnavailable or DatabaseUnavailable at the first that fails: the others would, too.
    """
    for run_id in run_ids:
        announce(db, event_log, run_id)


def announce_again(db: Database, event_log: EventLog, run_ids: Sequence[str]) -> None:
    """Announce the ends of those of these runs that have one, also if that was done before: Redis
    may have lost what it was given then.

    Raises RedisUnavailable or DatabaseUnavailable at the first that fails.
    """
    for run_id in db.read(lambda tx: ended_among(tx, run_ids)):
        end = db.read(partial(announcement, run_id=run_id))
        if end is not None and end.announced:
            _write_end(event_log, end)
        elif end is not None:
            announce_end(db, event_log, end)


def announce_end(db: Database, event_log: EventLog, end: Announcement) -> None:
    """Announce an end that was read, or just written, as not announced. The session's next run is
    due after that; the caller has a worker look for it, or the reaper does.

    Raises RedisUnavailable or DatabaseUnavailable; the reaper tries again.
    """
    _write_end(event_log, end)
    run_id, session = end.keys.run_id, end.session
    if session is None:
        db.single(lambda tx: mark_announced(tx, run_id))
    else:
        db.write(lambda tx: mark_announced_before(tx, run_id, session))


def _write_end(event_log: EventLog, end: Announcement) -> None:
    event_log.announce(
        end.keys,
        fence=end.fence,
        epoch=end.epoch,
        terminal_seq=end.terminal_seq,
        entries=[events.encode(name, payload) for name, payload in end.entries],
    )
