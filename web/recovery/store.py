"""The records of recoverable sockets in Redis: found, saved, renewed, given up (P3)."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import recovery, recovery_record
from web.recovery.offset import Offset, OffsetTracker

log = logging.getLogger(__name__)

TTL = 300  # seconds after the last renewal: how long a lost socket may stay away
RENEW_EVERY = 60.0  # seconds
TICK = 1.0  # seconds
RETRY_AFTER = 0.5  # seconds


def new_pid() -> str:
    """A secret that nobody guesses; who has it may come back as that socket."""
    return secrets.token_urlsafe(24)


class RecoveryStore:
    """Saves standings by sid: joins at once, ends a moment later. Start once, stop at will."""

    def __init__(self, redis: Commands) -> None:
        self._redis = redis
        self.standings: dict[str, OffsetTracker] = {}
        self._saving: dict[str, threading.Lock] = {}
        self._changed: set[str] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._renewed_at = time.monotonic()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to save and to renew."""
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Save what is left, and stop."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    def find(self, pid: str, owner: str) -> dict[str, str] | None:
        """What is known of the socket that had this pid; None for unknown and foreign ones.

        Raises RedisAway.
        """
        with _away():
            sid: Any = self._redis.get(recovery(pid))
            fields: Any = self._redis.hgetall(recovery_record(pid, sid.decode())) if sid else {}
        record = {name.decode(): value.decode() for name, value in fields.items()}
        return record if record.pop("owner", None) == owner else None

    def open(
        self, sid: str, owner: str, pid: str, record: dict[str, str], offset: Offset
    ) -> OffsetTracker:
        """A socket is here, with that record, which is not saved yet."""
        standing = OffsetTracker(pid, {**record, "owner": owner}, offset, self._note(sid))
        self.standings[sid] = standing
        self._saving[sid] = threading.Lock()
        return standing

    def close(self, sid: str, *, for_good: bool) -> None:
        """The socket is gone; `for_good`: it said so, and nobody will come back to it."""
        standing = self.standings.pop(sid, None)
        self._saving.pop(sid, None)
        self._changed.discard(sid)
        if standing is not None and for_good:
            try:
                self._redis.delete(recovery_record(standing.pid, sid))
            except RedisError as error:
                log.info("record.kept error=%s", type(error).__name__)

    def save(self, sid: str) -> None:
        """Write what changed; returns when Redis has it. Raises RedisAway."""
        standing, lock = self.standings.get(sid), self._saving.get(sid)
        if standing is None or lock is None or not standing.joined():
            return  # gone; or there is nothing yet to come back to
        with lock:
            self._write(sid, standing)

    def _write(self, sid: str, standing: OffsetTracker) -> None:
        touched, standing.touched = standing.touched, set()
        ends, standing.ends_unsaved = standing.ends_unsaved, []
        there: Any = {name: value for name, value in standing.record.items() if name in touched}
        names = recovery(standing.pid)
        gone = [name for name in touched if name not in there]
        key = recovery_record(standing.pid, sid)
        try:
            with _away():
                pipe = self._redis.pipeline(transaction=True)
                if there:
                    pipe.hset(key, mapping=there)
                if gone:
                    pipe.hdel(key, *gone)
                pipe.expire(key, TTL)
                # The newest socket takes the pid; an older one, half open, must not take it back.
                pipe.set(names, sid, ex=TTL, nx=standing.is_named)
                pipe.expire(names, TTL)
                pipe.execute()
        except RedisUnavailable:
            standing.touched |= touched
            standing.ends_unsaved = ends + standing.ends_unsaved
            raise
        standing.is_named = True
        standing.ends_saved(ends)

    # -- the thread --------------------------------------------------------------------------

    def _note(self, sid: str) -> Callable[[OffsetTracker], None]:
        def changed(_: OffsetTracker) -> None:
            self._changed.add(sid)
            self._wake.set()

        return changed

    def _run(self) -> None:
        while not self._stopping or self._changed:
            self._wake.wait(TICK)
            self._wake.clear()
            try:
                self._save_changed()
                self._renew(time.monotonic())
            except RedisUnavailable:
                if self._stopping:
                    return
                time.sleep(RETRY_AFTER)
                self._wake.set()
            except Exception:  # the edge of the loop: it must survive any error
                log.exception("records.failed")

    def _save_changed(self) -> None:
        while self._changed:
            sid = self._changed.pop()
            try:
                self.save(sid)
            except RedisUnavailable:
                self._changed.add(sid)
                raise

    def _renew(self, now: float) -> None:
        """Whole records: Redis may have lost them."""
        if now - self._renewed_at < RENEW_EVERY:
            return
        self._renewed_at = now
        for sid, standing in list(self.standings.items()):
            standing.touched |= set(standing.record)
            self.save(sid)


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise RedisUnavailable(f"Redis: {type(error).__name__}") from error
