"""Decides which queues a worker consumes: some of its slots are only for takeovers (R18)."""

import logging
from typing import Any

from shared.task_queue import RUNS, TAKEOVER

log = logging.getLogger(__name__)


class QueueAdmission:
    """Counts the ordinary runs of the process. While there are `most` of them, the queue of runs is
    not consumed; the pool is larger than that, so a run of a dead worker finds a slot at once.

    It acts through `call_soon` of Celery's consumer, as Celery's remote control does: between two
    messages the consumer cancels a queue, or adds it again. A message that was received before
    that is sent back to the queue by the task.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        self._closed = False
        self._consumer: Any = None

    def attach(self, consumer: Any) -> None:
        """Adjust this `celery.worker.consumer.Consumer` from now on."""
        self._consumer = consumer

    @property
    def dispatcher(self) -> Any:
        """The consumer's dispatcher of events; None before there is one."""
        return self._consumer.event_dispatcher if self._consumer is not None else None

    def enter(self) -> bool:
        """Whether an ordinary run may start; if so, the caller calls `leave` when it is over."""
        if self._closed or self._running >= self._most:
            self.request_adjust()
            return False
        self._running += 1
        if self._running == self._most:
            self.request_adjust()
        return True

    def leave(self) -> None:
        """An ordinary run is over."""
        self._running -= 1
        if self._running == self._most - 1:
            self.request_adjust()

    def close(self) -> None:
        """Consume neither queue any more (R22). May be called by a signal handler."""
        self._closed = True
        self.request_adjust()

    def request_adjust(self) -> None:
        """Have the consumer adjust to the present count. Doing it twice does no harm."""
        if self._consumer is not None:
            self._consumer.call_soon(self._adjust)

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
