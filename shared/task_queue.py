"""The Celery app, the names of queues and tasks, and sending tasks by name.

A message is a hint that something may need doing; the rows of the database decide what is done. So
a message may be lost (the reaper sends another) and may come twice (the second finds nothing).
Names are part of a rolling upgrade: a message may be received by a process of the version before.
"""

import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from celery import Celery
from celery.app.amqp import AMQP
from celery.utils import uuid
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import BatchPublishError, OperationalError
from redis.exceptions import RedisError

from shared.addresses import broker_url
from shared.celery_savings import TRANSPORT
from shared.event_log.keys import BROKER_PREFIX
from shared.library_variables import drop_library_variables
from shared.settings import Settings

log = logging.getLogger(__name__)

RECONNECT_MOST: Final = 2.0  # seconds between tries
WAIT_BROKER: Final = 5.0  # seconds for a free connection
WAIT_MOST: Final = 0.2  # seconds for which one wait for a message lasts

RUNS: Final = "runs"
TAKEOVER: Final = "takeover"
MAINTENANCE: Final = "maintenance"

RUN_TURN: Final = "holdfast.run_turn"
TAKE_OVER: Final = "holdfast.take_over"
STOP_RUN: Final = "holdfast.stop_run"
ANSWER: Final = "holdfast.answer_approval"
REAP: Final = "holdfast.reap"
CHECK_ORPHANS: Final = "holdfast.check_orphaned_runs"
#: CHECK_ORPHANS as the versions before named it. Maintenance workers know both names. Beat sends
#: this one for one more release: a maintenance worker of the version before knows no other, and
#: Celery drops messages with a name that it does not know.
CHECK_ORPHANS_FORMER: Final = "holdfast.chase"
DELETE_EPHEMERAL: Final = "holdfast.delete_ephemeral"
SWEEP_EPHEMERAL: Final = "holdfast.sweep_ephemeral"
ADD_SEARCH_TERMS: Final = "holdfast.add_search_terms"
CLEAN_UP: Final = "holdfast.clean_up"


def celery_app(settings: Settings) -> Celery:
    """Build a Celery app with the settings of this project and no tasks.

    Messages of runs are not acknowledged at all, others before the task runs: the claim in the
    database decides who works, so a message that comes twice is harmless and the reaper replaces
    one that is lost (docs/adr/0002).
    """
    drop_library_variables(os.environ)
    broker, tls = broker_url(settings.redis_url)
    # No fixups: they react to variables of Django.
    app = Celery("holdfast", broker=broker, amqp=_Amqp, set_as_current=False, fixups=())
    app.conf.update(
        broker_transport=TRANSPORT,
        broker_use_ssl=_tls(tls) if broker.startswith("rediss") else None,
        broker_transport_options={
            "visibility_timeout": 7200,
            "max_connections": settings.worker_concurrency + settings.takeover_slots + 50,
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "global_keyprefix": BROKER_PREFIX,
            "main_queue": RUNS,
            "spare_queue": TAKEOVER,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A server that takes no writes now, or is a replica since a failover, ends nobody.
        broker_channel_error_retry=True,
        broker_pool_limit=10,
        task_acks_late=False,
        task_ignore_result=True,
        task_serializer="json",
        task_default_queue=RUNS,
        task_queues=[
            Queue(name, Exchange(name), routing_key=name, no_ack=True) for name in (RUNS, TAKEOVER)
        ],
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.0},
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_send_task_events=True,
        task_send_sent_event=False,
        worker_hijack_root_logger=False,
    )
    return app


def _tls(options: Mapping[str, str]) -> dict[str, Any]:
    """What redis-py does for the same URL, as options for Celery's connections."""
    wanted = options.get("ssl_cert_reqs", "required")
    check = options.get("ssl_check_hostname", "true").lower() not in {"0", "f", "false", "n", "no"}
    return {
        **options,
        "ssl_cert_reqs": ssl.VerifyMode[f"CERT_{wanted.upper()}"],
        "ssl_check_hostname": check and wanted != "none",
    }


class _Connection(Connection):
    """Reconnects within two seconds after the broker is back; Kombu would wait for up to thirty."""

    def ensure_connection(
        self, errback: Any = None, max_retries: int | None = None, **options: Any
    ) -> Connection:
        """Connect; try again until it succeeds, or `max_retries` times."""
        pauses = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": RECONNECT_MOST}
        super().ensure_connection(errback, max_retries, **pauses, **options)  # type: ignore[no-untyped-call]
        return self

    def drain_events(self, **options: Any) -> Any:
        """Wait at most WAIT_MOST for a message: Celery waits two seconds, twice, before it notices
        that it was asked to stop."""
        timeout = min(options.pop("timeout", None) or WAIT_MOST, WAIT_MOST)
        return super().drain_events(timeout=timeout, **options)  # type: ignore[no-untyped-call]


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection


class TaskQueue:
    """Sends tasks by name. Each method returns False, with a log line, when the message could not
    be sent; it does not raise, since the reaper finds what was not sent."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def run_turn(self, run_id: str, *, delay: float | None = None) -> bool:
        """Say that one more run is due, after `delay` seconds. Which one, the worker asks the
        database (ADR 0024); `run_id` is for workers of the version before, which claim that one.
        """
        return self._send(RUN_TURN, RUNS, run_id, countdown=delay)

    def run_turns(self, run_ids: Sequence[str]) -> bool:
        """The same for several runs, in one round trip: all or, if that fails, perhaps some."""
        try:
            with self._app.producer_or_acquire() as producer, producer.batch():
                for run_id in run_ids:
                    self._publish_turn(producer, run_id)
        except (BatchPublishError, OperationalError, RedisError, OSError) as error:
            log.warning("queue.unsent task=%s error=%s", RUN_TURN, type(error).__name__)
            return False
        return True

    def _publish_turn(self, producer: Any, run_id: str) -> None:
        """What `send_task` does, without looking up routes and settings for each message, which is
        half of its cost."""
        task_id = uuid()
        headers, properties, body, _ = self._app.amqp.create_task_message(
            task_id, RUN_TURN, (run_id,), {}, root_id=task_id, ignore_result=True
        )
        producer.publish(
            body, exchange="", routing_key=RUNS, serializer="json", headers=headers, **properties
        )

    def take_over(self, run_id: str) -> bool:
        """Have a worker try to claim a run whose lease has lapsed (R18)."""
        return self._send(TAKE_OVER, TAKEOVER, run_id)

    def stop_run(self, run_id: str) -> bool:
        """Have a maintenance worker ask the gateway to stop the run (R9)."""
        return self._send(STOP_RUN, MAINTENANCE, run_id)

    def answer_approval(self, run_id: str, approval_id: int) -> bool:
        """Have a maintenance worker send the stored answer to the gateway (R10)."""
        return self._send(ANSWER, MAINTENANCE, run_id, approval_id)

    def lengths(self) -> dict[str, int] | None:
        """Return how many messages wait in each queue; None if the broker does not answer."""
        try:
            with self._app.pool.acquire(block=True, timeout=WAIT_BROKER) as connection:
                channel = connection.default_channel
                return {name: channel._size(name) for name in (RUNS, TAKEOVER, MAINTENANCE)}
        except (OperationalError, RedisError, OSError) as error:
            log.warning("queue.unread error=%s", type(error).__name__)
            return None

    def processes(self, within: float) -> list[str]:
        """Return the names of the worker processes that answer within so many seconds."""
        try:
            answers = self._app.control.ping(timeout=within)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("queue.unread error=%s", type(error).__name__)
            return []
        return sorted(name for answer in answers for name in answer)

    def waiting(self) -> int | None:
        """Return how many messages wait in the queue of runs; None if the broker does not
        answer."""
        try:
            with self._app.pool.acquire(block=True, timeout=WAIT_BROKER) as connection:
                return int(connection.default_channel._size(RUNS))
        except (OperationalError, RedisError, OSError) as error:
            log.warning("queue.unread error=%s", type(error).__name__)
            return None

    def _send(self, task: str, queue: str, run_id: str, *arguments: object, **options: Any) -> bool:
        try:
            self._app.send_task(task, (run_id, *arguments), queue=queue, **options)
        except (OperationalError, OSError) as error:
            log.warning(
                "queue.unsent task=%s run_id=%s error=%s", task, run_id, type(error).__name__
            )
            return False
        return True
