"""The records of recoverable sockets in Redis: found, saved, renewed, deleted (P3)."""

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import recovery, recovery_record
from shared.service import Service
from web.recovery.offset import Offset
from web.recovery.offset_tracker import OffsetTracker

log = logging.getLogger(__name__)

TTL = 300  # seconds after the last renewal: how long a lost socket may stay away
RENEW_EVERY = 60.0  # seconds
TICK = 1.0  # seconds
RETRY_AFTER = 0.5  # seconds


def new_pid() -> str:
    """A secret that cannot be guessed: a client that has it may come back as that socket."""
    return secrets.token_urlsafe(24)


class RecoveryStore:
    """Trackers by sid, and their records: joins are saved at once, ends a moment later."""

    def __init__(self, redis: Commands) -> None:
        self._redis = redis
        self.trackers: dict[str, OffsetTracker] = {}
        self._saving: dict[str, threading.Lock] = {}
        self._changed: set[str] = set()
        self._wake = threading.Event()
        self._renewed_at = time.monotonic()
        self.service = Service("recovery-records", self._run, wake=self._wake.set)

    def find(self, pid: str, owner: str) -> dict[str, str] | None:
        """The record of the socket that had this pid; None if it is unknown or another owner's.

        Raises RedisUnavailable.
        """
        with _redis_errors():
            sid: Any = self._redis.get(recovery(pid))
            fields: Any = self._redis.hgetall(recovery_record(pid, sid.decode())) if sid else {}
        record = {name.decode(): value.decode() for name, value in fields.items()}
        return record if record.pop("owner", None) == owner else None

    def open(
        self, sid: str, owner: str, pid: str, record: dict[str, str], offset: Offset
    ) -> OffsetTracker:
        """Track a new socket, with that record, which is not saved yet."""

        def on_change() -> None:
            self._changed.add(sid)
            self._wake.set()

        tracker = OffsetTracker(pid, {**record, "owner": owner}, offset, on_change)
        self._saving[sid] = threading.Lock()
        self.trackers[sid] = tracker
        return tracker

    def close(self, sid: str, *, for_good: bool) -> None:
        """Stop tracking a socket; `for_good`: delete its record, since it does not come back."""
        tracker = self.trackers.pop(sid, None)
        self._saving.pop(sid, None)
        self._changed.discard(sid)
        if tracker is not None and for_good:
            try:
                self._redis.delete(recovery_record(tracker.pid, sid))
            except RedisError as error:
                log.info("recovery_record.not_deleted error=%s", type(error).__name__)

    def save(self, sid: str) -> None:
        """Write what changed; returns when Redis has it. Raises RedisUnavailable."""
        tracker, lock = self.trackers.get(sid), self._saving.get(sid)
        if tracker is None or lock is None or not tracker.has_joined():
            return  # gone; or there is nothing to recover yet
        with lock:
            self._write(sid, tracker)

    def _write(self, sid: str, tracker: OffsetTracker) -> None:
        touched, tracker.touched = tracker.touched, set()
        ends, tracker.ends_unsaved = tracker.ends_unsaved, []
        written: Any = {name: value for name, value in tracker.record.items() if name in touched}
        sid_of_pid = recovery(tracker.pid)
        removed = [name for name in touched if name not in written]
        key = recovery_record(tracker.pid, sid)
        try:
            with _redis_errors():
                pipe = self._redis.pipeline(transaction=True)
                if written:
                    pipe.hset(key, mapping=written)
                if removed:
                    pipe.hdel(key, *removed)
                pipe.expire(key, TTL)
                # The pid belongs to the newest socket: an older one, half open, must not get it.
                pipe.set(sid_of_pid, sid, ex=TTL, nx=tracker.is_named)
                pipe.expire(sid_of_pid, TTL)
                pipe.execute()
        except RedisUnavailable:
            tracker.touched |= touched
            tracker.ends_unsaved = ends + tracker.ends_unsaved
            raise
        tracker.is_named = True
        tracker.ends_saved(ends)

    # -- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while not self.service.stopping or self._changed:
            self._wake.wait(TICK)
            self._wake.clear()
            try:
                self._save_changed()
                self._renew(time.monotonic())
            except RedisUnavailable:
                if self.service.stopping:
                    return
                self.service.wait(RETRY_AFTER)
                self._wake.set()
            except Exception:  # the edge of the loop: it must survive any error
                log.exception("recovery_records.failed")

    def _save_changed(self) -> None:
        while self._changed:
            sid = self._changed.pop()
            try:
                self.save(sid)
            except RedisUnavailable:
                self._changed.add(sid)
                raise

    def _renew(self, now: float) -> None:
        """Save whole records every minute: Redis may have lost them."""
        if now - self._renewed_at < RENEW_EVERY:
            return
        self._renewed_at = now
        for sid, tracker in list(self.trackers.items()):
            tracker.touched |= set(tracker.record)
            self.save(sid)


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise RedisUnavailable(f"Redis: {type(error).__name__}") from error
