"""Group commit: one round trip writes the waiting events of all runs of the process.

The first event after a quiet time goes at once; after that at most one flush per interval, and
what arrives meanwhile gathers (docs/adr/0001).
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from shared.errors import RedisUnavailable, Unavailable
from shared.event_log.store import Append, Batch, EventLog, Status
from worker.event_log.run_log import RunLog

log = logging.getLogger(__name__)

REST = 4  # times the length of a flush of that many logs or more: at most a fifth of the time
LOOK_EVERY = 5.0  # seconds
RETRY_FIRST, RETRY_MOST = 0.05, 1.0  # seconds between tries while Redis is away


class Publisher:
    """Writes run logs to Redis. One per process; `start` once, `stop` flushes and joins.

    `still_owned(run_log)` asks the database whether the run is still ours, before its log is made
    anew (R15).
    """

    def __init__(
        self,
        event_log: EventLog,
        still_owned: Callable[[RunLog], bool],
        *,
        interval: timedelta,
        checkpoint_bytes: int,
        refresh_every: timedelta,
    ) -> None:
        self._log = event_log
        self._still_owned = still_owned
        self._interval = interval.total_seconds()
        self._checkpoint_bytes = checkpoint_bytes
        self._refresh_every = refresh_every.total_seconds()
        self._refreshed = self._looked = time.monotonic()
        self._open: dict[str, RunLog] = {}
        self._dirty: dict[str, RunLog] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin to flush."""
        self._thread.start()

    def stop(self) -> None:
        """Flush what waits, once, and end."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def open(self, run_log: RunLog) -> None:
        """From now on flush what is added to this log, and keep it from expiring (R30)."""
        run_log.on_pending = self._mark_dirty
        self._open[run_log.keys.run_id] = run_log

    def close(self, run_log: RunLog) -> None:
        """The run is over, or no longer ours."""
        if self._open.get(run_log.keys.run_id) is run_log:
            del self._open[run_log.keys.run_id]

    def _mark_dirty(self, run_log: RunLog) -> None:
        self._dirty[run_log.keys.run_id] = run_log
        self._wake.set()

    def _run(self) -> None:
        pause = RETRY_FIRST
        while not (self._stopping and not self._dirty):
            self._wake.wait(min(self._refresh_every, LOOK_EVERY))
            self._wake.clear()
            began = time.monotonic()
            try:
                logs = self._flush()
                self._refresh(began)
                self._look(began)
                pause = RETRY_FIRST
            except Unavailable as error:
                log.warning("publisher.waiting error=%s", type(error).__name__)
                time.sleep(pause)
                pause = min(2 * pause, RETRY_MOST)
                self._wake.set()
                if self._stopping:
                    return
                continue
            except Exception:  # the edge of the loop: the other runs must go on
                log.exception("publisher.failed")
                time.sleep(pause)
                logs = REST
            time.sleep(self._rest(time.monotonic() - began, logs))

    def _rest(self, took: float, logs: int) -> float:
        """Seconds to gather after a flush of so many logs: little on an idle system, where it is
        quick and few wait, and never so long that flushes are more than an interval apart."""
        return max(0.0, min(min(REST, logs) * took, self._interval - took))

    def _refresh(self, now: float) -> None:
        """A run may be silent for longer than its log lives."""
        if now - self._refreshed >= self._refresh_every:
            self._refreshed = now
            self._log.refresh([run.keys for run in self._open.values()])

    def _look(self, now: float) -> None:
        """A silent run sends nothing by which it would notice that its log is gone: who comes then
        would not see, for one, the question that it waits for (R15)."""
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        silent = [run for run in self._open.values() if run.idle and run.head]
        heads = self._log.heads([run.keys for run in silent])
        for run, head in zip(silent, heads, strict=True):
            is_gone = head is None or (head[0] == run.epoch and head[1] < run.head)
            if is_gone and not run.lost:
                self._reinstall(run, Status.NOLOG)

    def _flush(self) -> int:
        """Send one batch of each waiting log; how many. Raises RedisAway: all are sent again."""
        dirty, self._dirty = self._dirty, {}
        batches = {
            run_id: batch for run_id, run in dirty.items() if (batch := run.freeze()) is not None
        }
        try:
            answers = self._log.append(list(batches.values()))
            for (run_id, batch), answer in zip(batches.items(), answers, strict=True):
                self._answered(dirty[run_id], batch, answer)
        finally:
            for run_id, run in dirty.items():
                if not run.idle and not run.lost:
                    self._dirty.setdefault(run_id, run)
        if self._dirty:
            self._wake.set()
        return len(batches)

    def _answered(self, run: RunLog, batch: Batch, answer: Append) -> None:
        if run.lost:
            return
        if answer.status is Status.OK:
            run.acknowledge()
            self._shorten(run)
        elif answer.status in (Status.FENCED, Status.ENDED):
            log.warning("run.fenced run_id=%s fence=%s", run.keys.run_id, run.fence)
            run.lose()
        else:
            self._reinstall(run, answer.status)

    def _shorten(self, run: RunLog) -> None:
        if run.tail_bytes <= self._checkpoint_bytes:
            return
        fold = run.fold()
        try:
            self._log.checkpoint(run.keys, fence=run.fence, seq=run.head, fold=fold)
        except RedisUnavailable:
            return  # the log stays long for now; the next batch tries again
        run.cut(fold)

    def _reinstall(self, run: RunLog, status: Status) -> None:
        """The log is gone or behind: write it anew from memory, same seqs, same bytes (R15)."""
        if not self._still_owned(run):
            run.lose()
            return
        answer = self._log.install(
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
        if answer.status is not Status.OK:
            run.lose()
