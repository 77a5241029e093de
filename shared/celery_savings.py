"""Parts of Celery and Kombu that cost less than their originals, for tasks that do little.

Problem: a run is one short message, and what Celery does around it costs more than the claim. Kombu
makes a Redis client for every acknowledgement and every message that it sends; green pools publish
each task event at once, where others gather them; a task asks its app for a result backend in
every green thread, where it is made anew. Idea: keep the client, gather the events, pin the
backend. Workers send the same events of tasks as before.

Two more of their habits are changed here, since they keep workers from ending, or end them: a
heartbeat is tried for ever, and a server that takes no writes is not one that is away.

What this relies on in the installed versions: `tests/integration/shared/test_celery_savings.py`.
"""

from collections.abc import Iterable
from typing import Any, Final

from celery import Celery
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from kombu.transport.redis import Channel, Transport
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

EVENTS_EVERY: Final = 0.5  # seconds for which task events are gathered
EVENTS_MOST: Final = 200  # that are gathered; then they are sent at once
TRANSPORT: Final = f"{__name__}:OneClientTransport"  # as text, since Flower asks for all settings
FULL_FOR: Final = 0.1  # seconds
HEARTBEAT: Final = "worker.heartbeat"
TASK_EVENTS: Final = "task"  # the group of Celery's events that are gathered


class OneClientChannel(Channel):
    """A channel with one Redis client for all commands; each still takes a connection from the
    pool.

    Of the transport options `main_queue` and `spare_queue` a worker that is full listens only to
    the latter. It asks for messages of the other only when its BRPOP has returned, and slots that
    get free are idle until then: so it waits for a tenth of a second there, where Kombu has one
    second.
    """

    from_transport_options: Any = (*Channel.from_transport_options, "main_queue", "spare_queue")
    main_queue = spare_queue = ""
    _kept: Any = None

    def _brpop_start(self, timeout: float | None = None) -> None:
        active = self.active_queues
        is_full = self.spare_queue in active and self.main_queue not in active
        super()._brpop_start(FULL_FOR if is_full else timeout)  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        """A server that takes no writes now, or is a replica since a failover, is one that is away:
        Celery connects anew. `broker_channel_error_retry` is for the other commands."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            self.client.connection.disconnect()
            raise RedisConnectionError(str(error)) from error

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Celery acknowledges also messages that need it not; Redis has kept nothing of these."""
        if delivery_tag in self.qos._delivered:
            super().basic_ack(delivery_tag, multiple)  # type: ignore[no-untyped-call]

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[no-untyped-call]
        return self._kept


class OneClientTransport(Transport):
    """Kombu's Redis transport with such channels."""

    Channel = OneClientChannel


class PromptDispatcher(EventDispatcher):  # type: ignore[misc]
    """Sends each event once. What cannot be sent is kept for later; of heartbeats the newest.

    Celery's own heartbeat is tried until the broker is back, under the lock that the end of the
    process waits for.
    """

    def _publish(self, event: Any, producer: Any, routing_key: str, **_: Any) -> None:
        super()._publish(event, producer, routing_key)
        kept = self._outbound_buffer
        while sum(key == HEARTBEAT for _, key in kept) > 1:
            kept.remove(next(one for one in kept if one[1] == HEARTBEAT))


class PromptEvents(Events):  # type: ignore[misc]
    """`app.events` of a process whose events are sent once."""

    dispatcher_cls = PromptDispatcher


class GatheringDispatcher(PromptDispatcher):
    """Gathers the events of tasks until somebody calls `flush`, or there are EVENTS_MOST."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options["buffer_group"] = options.get("buffer_group") or [TASK_EVENTS]
        options["buffer_limit"] = EVENTS_MOST
        super().__init__(*args, **options)

    def extend_buffer(self, other: EventDispatcher) -> None:
        """Take over what the dispatcher of a lost connection had not sent."""
        super().extend_buffer(other)
        for group, events in other._group_buffer.items():
            self._group_buffer[group].extend(events)
            events.clear()


class GatheringEvents(Events):  # type: ignore[misc]
    """`app.events` of a worker whose task events are gathered."""

    dispatcher_cls = GatheringDispatcher


class TaskEvents:
    """The events of a worker's tasks, gathered; its owner calls `flush` every EVENTS_EVERY seconds.
    While the broker is away they are kept."""

    def __init__(self, app: Celery) -> None:
        """Before anything asks for `app.events`."""
        app.events_cls = GatheringEvents
        self._consumer: Any = None

    def attach(self, consumer: Any) -> None:
        """Send by the dispatcher of this `celery.worker.consumer.Consumer`, whichever it has."""
        self._consumer = consumer

    def send(self, kind: str, **fields: object) -> None:
        """Gather one more event, such as `task-started`, after those that Celery sent itself."""
        dispatcher = self._dispatcher()
        if dispatcher is not None:
            dispatcher.send(kind, **fields)

    def flush(self) -> None:
        """Send what has gathered."""
        dispatcher = self._dispatcher()
        if dispatcher is not None:
            dispatcher.flush()

    def _dispatcher(self) -> Any:
        dispatcher = self._consumer.event_dispatcher if self._consumer is not None else None
        return dispatcher if dispatcher is not None and dispatcher.enabled else None


def pin_backend(app: Celery) -> None:
    """Give each task of ours the app's result backend, which stores nothing, once for all."""
    for task in _own(app.tasks.values()):
        task.backend = app.backend


def _own(tasks: Iterable[Any]) -> Iterable[Any]:
    return (task for task in tasks if not task.name.startswith("celery."))
