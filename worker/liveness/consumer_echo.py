"""Messages that a worker sends to itself, through the broker and the consumer of its queues.

Problem: that the loop of a consumer turns, or that remote control answers, does not show that the
messages of its queues arrive: the queues have a connection of their own.
Idea: one more queue on that connection, with one message every few seconds. It is taken where a
task would be received, and needs no slot of the pool and shows no task to operators.
Invariant: the queue is this process's own; what is left in it expires.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from celery import Celery
from celery.worker import state
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.messaging import Producer
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

ECHO: Final = "holdfast.echo"  # the name in the messages
EXPIRE: Final = 60_000  # milliseconds for which a message stays that nobody takes
WAIT_CONNECTION: Final = 5.0  # seconds for a free connection


class ConsumerEcho:
    """One per worker process: `register` before it starts, `attach` when it is ready."""

    def __init__(self, app: Celery, name: str, on_heard: Callable[[], None]) -> None:
        """`name`: of this process, and of no other. `on_heard` is called by the consumer."""
        self._app = app
        self._queue = f"echo.{name}"
        self._on_heard = on_heard
        self._consumer: Any = None

    def register(self) -> None:
        """Have messages of this name taken by the consumer itself."""
        self._app.task(_echo, name=ECHO, Strategy=self._strategy)

    def attach(self, consumer: Any) -> None:
        """Consume the queue, with this `celery.worker.consumer.Consumer`."""
        self._consumer = consumer
        consumer.call_soon(self._consume)

    def send(self) -> bool:
        """Send one message; whether the broker took it."""
        try:
            with self._app.pool.acquire(block=True, timeout=WAIT_CONNECTION) as connection:
                channel = connection.default_channel
                Producer(channel, auto_declare=False).publish(
                    [], exchange="", routing_key=self._queue, headers={"task": ECHO, "id": ECHO}
                )
                channel.client.pexpire(self._queue, EXPIRE)
        except (OperationalError, RedisError, OSError) as error:
            log.info("echo.unsent error=%s", type(error).__name__)
            return False
        return True

    @property
    def is_full(self) -> bool:
        """Whether all slots of the pool are taken: then the consumer takes no message."""
        pool = getattr(self._consumer, "pool", None)
        return pool is not None and len(state.reserved_requests) >= pool.num_processes

    def _consume(self) -> None:
        queues = self._consumer.app.amqp.queues
        queue = queues.select_add(Queue(self._queue, routing_key=self._queue))
        # The exchange of all queues would keep a binding for every process that ever was.
        queue.exchange = Exchange("")
        self._consumer.task_consumer.add_queue(queue)
        self._consumer.task_consumer.consume()

    def _strategy(self, task: Any, app: Any, consumer: Any, **_: Any) -> Callable[..., None]:
        def take(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **_: Any) -> None:
            ack(log, consumer.connection_errors)
            self._on_heard()

        return take


def _echo() -> None:
    """Never called: the strategy takes the message."""
