"""Which queues a worker listens to: slots for ordinary runs, and slots that only takeovers use."""

import logging
from typing import Any

from shared.task_queue import RUNS, TAKEOVER

log = logging.getLogger(__name__)


class QueueAdmission:
    """Counts the ordinary runs in hand. While they are `most`, the queue of runs is not consumed;
    the pool is larger than that, so a run of a dead worker finds a slot at once.

    Celery's consumer is told by `call_soon`, as by its own remote control: it leaves a queue and
    comes back to it between two messages. A message that was under way goes back to the queue.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._in_hand = 0
        self._closed = False
        self._consumer: Any = None

    def attach(self, consumer: Any) -> None:
        """From now on tell this `celery.worker.consumer.Consumer`."""
        self._consumer = consumer

    def enter(self) -> bool:
        """Whether an ordinary run may start; if so, `leave` is called when it is over."""
        if self._closed or self._in_hand >= self._most:
            self.request_adjust()
            return False
        self._in_hand += 1
        if self._in_hand == self._most:
            self.request_adjust()
        return True

    def leave(self) -> None:
        """An ordinary run is over."""
        self._in_hand -= 1
        if self._in_hand == self._most - 1:
            self.request_adjust()

    def close(self) -> None:
        """Take nothing more, of either queue (R22). May be called by a signal handler."""
        self._closed = True
        self.request_adjust()

    def request_adjust(self) -> None:
        """Have the consumer do what is wanted now. Telling it again does no harm."""
        if self._consumer is not None:
            self._consumer.call_soon(self._adjust)

    def _adjust(self) -> None:
        self._consume(RUNS, not self._closed and self._in_hand < self._most)
        self._consume(TAKEOVER, not self._closed)

    def _consume(self, queue: str, wanted: bool) -> None:
        if wanted == (queue in self._consumer.app.amqp.queues.consume_from):
            return
        log.debug("queue.consumed queue=%s wanted=%s", queue, wanted)
        if wanted:
            self._consumer.add_task_queue(queue)
        else:
            self._consumer.cancel_task_queue(queue)
