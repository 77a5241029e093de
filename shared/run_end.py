"""Telling clients of a run's end. Anybody may: the worker, the reaper, a resume (R20)."""

from shared.db.database import Database
from shared.db.runs.terminal import Announcement, announcement, mark_announced
from shared.event_log.store import EventLog
from shared.protocol import events


def announce(db: Database, log: EventLog, run_id: str) -> bool:
    """Append the stored last entries to the run's log and ring; False while the run has no end.

    Doing it again changes nothing. Raises RedisAway or DatabaseAway; the reaper tries again.
    """
    end = db.read(lambda tx: announcement(tx, run_id))
    if end is None:
        return False
    if not end.announced:
        announce_end(db, log, end)
    return True


def announce_end(db: Database, log: EventLog, end: Announcement) -> None:
    """The same for who has just written that end. Raises RedisAway or DatabaseAway."""
    log.announce(
        end.keys,
        fence=end.fence,
        epoch=end.epoch,
        terminal_seq=end.terminal_seq,
        entries=[events.encode(name, payload) for name, payload in end.entries],
    )
    db.single(lambda tx: mark_announced(tx, end.keys.run_id))
