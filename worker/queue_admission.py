"""Decides which queues a worker consumes: some of its slots are only for takeovers (R18)."""

import logging
import threading
from typing import Any, Final

from shared.task_queue import RUNS, TAKEOVER

log = logging.getLogger(__name__)

HELD_MOST: Final = 2  # messages that wait for a slot here; the pool has slots for them, too
HOLD: Final = 0.25  # seconds


class QueueAdmission:
    """Counts the ordinary runs of the process. While there are `most` of them, the queue of runs is
    not consumed; the pool is larger than that, so a run of a dead worker finds a slot at once.

    It acts through `call_soon` of Celery's consumer, as Celery's remote control does: between two
    messages the consumer cancels a queue, or adds it again. A message that was received before
    that waits a moment, since the next run that ends may leave its slot to it; then the task sends
    it back to the queue.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        self._closed = False
        self._consumer: Any = None
        self._lock = threading.Lock()
        self._held: list[threading.Event] = []  # in order; set when the slot is theirs

    def attach(self, consumer: Any) -> None:
        """Adjust this `celery.worker.consumer.Consumer` from now on."""
        self._consumer = consumer

    def enter(self) -> bool:
        """Whether an ordinary run may start, perhaps after a moment; if so, the caller calls
        `leave` when it is over."""
        with self._lock:
            if self._closed or self._running >= self._most:
                held = self._hold()
            else:
                held = None
                self._running += 1
            is_full = self._running >= self._most
        if held is not None:
            self.request_adjust()
            return self._gets_a_slot(held)
        if is_full:
            self.request_adjust()
        return True

    def leave(self) -> None:
        """An ordinary run is over."""
        with self._lock:
            if self._held:
                self._held.pop(0).set()
                return
            self._running -= 1
            was_full = self._running == self._most - 1
        if was_full:
            self.request_adjust()

    def close(self) -> None:
        """Consume neither queue any more (R22). May be called by a signal handler."""
        self._closed = True
        self.request_adjust()

    def request_adjust(self) -> None:
        """Have the consumer adjust to the present count. Doing it twice does no harm."""
        if self._consumer is not None:
            self._consumer.call_soon(self._adjust)

    def _hold(self) -> threading.Event:
        held = threading.Event()
        if len(self._held) < HELD_MOST:
            self._held.append(held)
        return held

    def _gets_a_slot(self, held: threading.Event) -> bool:
        with self._lock:
            waits = held in self._held and not self._closed
        if waits:
            held.wait(HOLD)
        with self._lock:
            if held in self._held:
                self._held.remove(held)
        if held.is_set() and self._closed:
            self.leave()
            return False
        return held.is_set()

    def _adjust(self) -> None:
        self._consume(RUNS, not self._closed and self._running < self._most)
        self._consume(TAKEOVER, not self._closed)

    def _consume(self, queue: str, wanted: bool) -> None:
        if wanted == (queue in self._consumer.app.amqp.queues.consume_from):
            return
        log.debug("queue.consumed queue=%s wanted=%s", queue, wanted)
        if wanted:
            self._consumer.add_task_queue(queue)
        else:
            self._consumer.cancel_task_queue(queue)
