"""Writes the waiting events of all runs of the process to Redis, in one round trip (ADR 0001).

Problem: a round trip for each event of each run would cap a process at a few thousand events a
second; and Redis may be slow, away for a while, or come back empty.
Idea: group commit. A run log that gets an event becomes pending and wakes the loop. Each flush
freezes one batch of every pending log and sends all of them in one pipeline. The first event after
a quiet time is sent at once; after a flush the loop rests, so that events gather, but flushes of a
busy process are never more than `interval` apart. A batch without an answer is sent again
unchanged: the server recognises entries that it has. A log that is gone is installed again from
memory, with the same seqs and bytes, provided that the database still names this owner (R15).
Invariant: each event of a run that is still ours gets into its log once and in order; a run that is
not ours is marked as lost and gets no further entry. A fault in one run's log loses that run, for
its next owner to begin with a log read anew, and touches no other.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from shared.errors import RedisUnavailable, Unavailable
from shared.event_log.store import EventLog
from shared.event_log.types import Append, Status
from shared.metrics import worker as metrics
from shared.service import Service
from worker.event_log.run_log import RunLog

T = TypeVar("T")
log = logging.getLogger(__name__)

REST = 4  # times the length of a flush of that many logs or more: at most a fifth of the time
CHECK_EVERY = 5.0  # seconds between two checks that the logs of idle runs still exist
RETRY_FIRST, RETRY_MOST = 0.05, 1.0  # seconds between tries while Redis is away
JOIN_WITHIN = 10.0  # seconds; the last flush may have to wait for Redis


class Publisher:
    """Writes run logs to one Redis server, in a thread of its own."""

    def __init__(
        self,
        event_log: EventLog,
        still_owned: Callable[[RunLog], bool],
        *,
        interval: timedelta,
        checkpoint_bytes: int,
        refresh_every: timedelta,
    ) -> None:
        """`still_owned` asks the database whether the run is still ours; it may raise Unavailable.

        `interval`: the longest time between two flushes while events arrive. `checkpoint_bytes`:
        size from which a log is replaced by its fold. `refresh_every`: time between two renewals of
        the logs' time to live.
        """
        self._event_log = event_log
        self._still_owned = still_owned
        self._interval = interval.total_seconds()
        self._checkpoint_bytes = checkpoint_bytes
        self._refresh_every = refresh_every.total_seconds()
        self._refreshed_at = self._checked_at = time.monotonic()
        self._open: dict[str, RunLog] = {}
        self._pending: dict[str, RunLog] = {}
        self._wake = threading.Event()
        self._service = Service(
            "publisher", self._flush_until_stopped, wake=self._wake.set, join_within=JOIN_WITHIN
        )

    @property
    def pending(self) -> int:
        """How many runs have events that wait."""
        return len(self._pending)

    def start(self) -> None:
        """Begin to flush."""
        self._service.start()

    def stop(self) -> None:
        """Flush what waits, once, and end. What Redis does not take then is not sent again."""
        self._service.stop()

    @property
    def healthy(self) -> bool:
        """Whether its loop lives; see `Service.healthy`."""
        return self._service.healthy

    def open(self, run_log: RunLog) -> None:
        """From now on keep this log from expiring (R30), and install it again if it is gone."""
        self._open[run_log.keys.run_id] = run_log

    def close(self, run_log: RunLog) -> None:
        """End what `open` began: the run is over, or no longer ours."""
        if self._open.get(run_log.keys.run_id) is run_log:
            del self._open[run_log.keys.run_id]

    def mark_pending(self, run_log: RunLog) -> None:
        """Send what waits in this log with the next flush. A run log calls it (`on_pending`)."""
        self._pending[run_log.keys.run_id] = run_log
        self._wake.set()

    def _flush_until_stopped(self) -> None:
        pause = RETRY_FIRST
        while not self._service.stopping:
            self._wake.wait(min(self._refresh_every, CHECK_EVERY))
            self._wake.clear()
            began = time.monotonic()
            try:
                logs = self._flush()
                self._refresh(began)
                self._check_idle(began)
                pause = RETRY_FIRST
            except Unavailable as error:
                log.warning("publisher.waiting error=%s", type(error).__name__)
                self._service.wait(pause)
                pause = min(2 * pause, RETRY_MOST)
                self._wake.set()
                continue
            except Exception:  # the edge of the loop: the other runs must go on
                log.exception("publisher.failed")
                self._service.wait(pause)
                logs = REST
            time.sleep(self._rest(time.monotonic() - began, logs))
        self._flush_rest()

    def _flush_rest(self) -> None:
        """The last flush: a batch has a limit, so a log may need several."""
        try:
            while self._pending:
                self._flush()
        except Unavailable as error:
            unsent = len(self._pending)
            log.warning("publisher.unsent runs=%s error=%s", unsent, type(error).__name__)

    def _rest(self, took: float, logs: int) -> float:
        """Seconds to gather after a flush of so many logs: little on an idle system, where it is
        quick and few wait, and never so long that flushes are more than an interval apart."""
        return max(0.0, min(min(REST, logs) * took, self._interval - took))

    def _refresh(self, now: float) -> None:
        """Renew the logs' time to live: a run may be silent for longer than that."""
        if now - self._refreshed_at >= self._refresh_every:
            self._refreshed_at = now
            self._event_log.refresh([run.keys for run in self._open.values()])

    def _check_idle(self, now: float) -> None:
        """Install the logs of idle runs that are gone. An idle run sends nothing by which it would
        notice, and a client that joins would not see, say, the question that it waits for (R15)."""
        if now - self._checked_at < CHECK_EVERY:
            return
        self._checked_at = now
        idle = [run for run in self._open.values() if run.idle and run.head]
        heads = self._event_log.heads([run.keys for run in idle])
        for run, head in zip(idle, heads, strict=True):
            is_gone = head is None or (head[0] == run.epoch and head[1] < run.head)
            if is_gone and not run.lost:
                self._reinstall(run, Status.NOLOG)

    def _flush(self) -> int:
        """Send one batch of each pending log; the number of batches. Raises RedisUnavailable: they
        stay pending, and are sent again."""
        pending, self._pending = self._pending, {}
        batches = {
            run_id: batch
            for run_id, run in pending.items()
            if (batch := self._alone(run, run.freeze)) is not None
        }
        try:
            began = time.monotonic()
            answers = self._event_log.append(list(batches.values()))
            if batches:
                metrics.FLUSH.observe(time.monotonic() - began)
            for run_id, answer in zip(batches, answers, strict=True):
                run = pending[run_id]
                self._alone(run, partial(self._apply_answer, run, answer))
        finally:
            for run_id, run in pending.items():
                if not run.idle and not run.lost:
                    self._pending.setdefault(run_id, run)
        if self._pending:
            self._wake.set()
        return len(batches)

    def _alone(self, run: RunLog, step: Callable[[], T]) -> T | None:
        """The result of a step that concerns this run only; None, and the run is lost, if the step
        has a defect. Raises Unavailable."""
        try:
            return step()
        except Unavailable:
            raise
        except Exception:  # the edge of one run: the others must go on
            log.exception("run.log_broken run_id=%s", run.keys.run_id)
            run.lose()
            return None

    def _apply_answer(self, run: RunLog, answer: Append) -> None:
        if run.lost:
            return
        if answer.status is Status.OK:
            run.acknowledge()
            self._shorten(run)
        elif answer.status in (Status.FENCED, Status.ENDED):
            log.warning("run.fenced run_id=%s fence=%s", run.keys.run_id, run.fence)
            metrics.FENCED.inc()
            run.lose()
        else:
            self._reinstall(run, answer.status)

    def _shorten(self, run: RunLog) -> None:
        """Replace a log that has become long by its fold (R29)."""
        if run.tail_bytes <= self._checkpoint_bytes:
            return
        fold = run.fold()
        try:
            self._event_log.checkpoint(run.keys, fence=run.fence, seq=run.head, fold=fold)
        except RedisUnavailable:
            return  # the log stays long for now; the next batch tries again
        run.cut(fold)

    def _reinstall(self, run: RunLog, status: Status) -> None:
        """Install the log, which is gone or behind, from memory: same seqs, same bytes (R15)."""
        if not self._still_owned(run):
            run.lose()
            return
        answer = self._event_log.install(
            run.keys,
            fence=run.fence,
            epoch=run.epoch,
            min_head=run.head,
            create=True,
            base=run.base,
            checkpoint=run.checkpoint,
            entries=run.tail,
        )
        log.warning("log.reinstalled run_id=%s after=%s", run.keys.run_id, status)
        metrics.REINSTALLS.inc()
        if answer.status is not Status.OK:
            run.lose()
