"""What is cheaper than Celery's own, with the installed versions and a real Redis server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty
from typing import Any

import orjson
import pytest
from celery import Celery
from kombu import pools
from kombu.entity import Queue

from shared.celery_savings import (
    EVENTS_MOST,
    GatheringDispatcher,
    OneClientChannel,
    PromptEvents,
    TaskEvents,
    pin_backend,
)
from shared.event_log.keys import BROKER_PREFIX
from shared.settings import Settings
from shared.task_queue import MAINTENANCE, RUNS, TAKEOVER, TaskQueue, celery_app
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer


@pytest.fixture
def app(redis_server: RedisServer) -> Iterator[Celery]:
    redis_server.flush()
    pools.reset()  # connections of earlier tests, which believe that their queues are declared
    with celery_app(Settings.load({"REDIS_URL": redis_server.url})) as made:
        yield made


def test_a_channel_has_one_client_until_its_pool_is_another(app: Celery) -> None:
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        assert isinstance(channel, OneClientChannel)
        with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
            assert first is second
            assert first.ping()
        channel._disconnect_pools()  # type: ignore[no-untyped-call]
        with channel.conn_or_acquire() as client:
            assert client.connection_pool is channel.pool
            assert client.ping()


def test_a_worker_that_was_full_soon_asks_for_another_run(app: Celery) -> None:
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        # Every worker listens to a queue of its own as well.
        queues = [app.amqp.queues[TAKEOVER].bind(channel), Queue("own", channel=channel)]
        connection.Consumer(queues=queues, callbacks=[lambda *_: None]).consume()
        asked: list[float] = []
        for _ in range(2):
            began = time.monotonic()
            with suppress(Empty, TimeoutError):
                connection.transport.cycle.get(lambda *_: None, timeout=5)
            asked.append(time.monotonic() - began)
        assert max(asked) < 0.8  # Kombu's own waits for a second


def test_a_broker_that_takes_no_writes_is_one_that_is_away(
    app: Celery, redis_server: RedisServer
) -> None:
    with app.connection_for_read() as connection, redis_server.client() as redis:
        queue = app.amqp.queues[TAKEOVER].bind(connection.default_channel)
        connection.Consumer(queues=[queue], callbacks=[lambda *_: None]).consume()
        redis.config_set("min-replicas-to-write", 1)
        try:
            with pytest.raises(connection.connection_errors, match="NOREPLICAS"):
                connection.transport.cycle.get(lambda *_: None, timeout=5)
        finally:
            redis.config_set("min-replicas-to-write", 0)


def test_messages_are_sent_by_few_clients(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    original = OneClientChannel._get_client

    def counted(channel: OneClientChannel) -> Callable[..., Any]:
        client = original(channel)  # type: ignore[no-untyped-call]

        def make(**options: Any) -> Any:
            made.append(options)
            return client(**options)

        return make

    monkeypatch.setattr(OneClientChannel, "_get_client", counted)
    queue = TaskQueue(app)
    for _ in range(20):
        assert queue.run_turn("run_1")
    assert 1 <= len(made) <= 3


def test_runs_are_not_acknowledged_and_all_else_is(app: Celery, redis_server: RedisServer) -> None:
    queues = app.amqp.queues
    assert [queues[name].no_ack for name in (RUNS, TAKEOVER)] == [True, True]
    assert not queues[MAINTENANCE].no_ack
    queue = TaskQueue(app)
    queue.run_turn("run_1")
    queue.stop_run("run_2")
    redis, received = redis_server.client(), list[Any]()
    with app.connection_for_read() as connection:
        consumer = app.amqp.TaskConsumer(
            connection,
            queues=[queues[RUNS], queues[MAINTENANCE]],
            callbacks=[lambda _, message: received.append(message)],
        )
        with consumer:
            connection.drain_events(timeout=5)
            connection.drain_events(timeout=5)
            assert redis.llen(f"{BROKER_PREFIX}{RUNS}") == 0
            assert redis.llen(f"{BROKER_PREFIX}{MAINTENANCE}") == 0
            assert redis.hlen(f"{BROKER_PREFIX}unacked") == 1
            redis.config_resetstat()
            for message in received:
                message.ack()  # as Celery does for each
            assert redis.hlen(f"{BROKER_PREFIX}unacked") == 0
            assert redis.info("commandstats")["cmdstat_hdel"]["calls"] == 1, "of one message"


def test_a_queue_is_bound_as_the_version_before_bound_it(
    app: Celery, redis_server: RedisServer
) -> None:
    TaskQueue(app).run_turn("run_1")
    separator = b"\x06\x16"
    bound = redis_server.client().smembers(f"{BROKER_PREFIX}_kombu.binding.{RUNS}")
    assert bound == {separator.join([RUNS.encode(), b"", RUNS.encode()])}


def test_task_events_wait_to_be_sent_and_survive_a_new_dispatcher(app: Celery) -> None:
    TaskEvents(app)
    with app.connection_for_write() as connection, app.connection_for_read() as other:
        received: list[str] = []
        receiver = app.events.Receiver(other, {"*": lambda event: received.append(event["uuid"])})
        lost = app.events.Dispatcher(connection, hostname="a")
        assert isinstance(lost, GatheringDispatcher)
        with receiver.consumer_context() as (receiving, _, _):

            def receives(count: int) -> bool:
                with suppress(TimeoutError):
                    receiving.drain_events(timeout=0.2)
                return len(received) == count

            receives(0)  # it subscribes
            lost.send("task-received", uuid="1")
            next_one = app.events.Dispatcher(connection, hostname="a")
            next_one.extend_buffer(lost)
            next_one.send("task-received", uuid="2")
            lost.flush()
            assert receives(0)
            next_one.flush()
            wait_until(lambda: receives(2))
            assert received == ["1", "2"]
            for number in range(EVENTS_MOST):
                next_one.send("task-received", uuid=str(number))
            wait_until(lambda: receives(2 + EVENTS_MOST))


@pytest.mark.parametrize("gathers", [True, False])
def test_heartbeats_to_a_broker_that_is_gone_hold_up_nobody(gathers: bool) -> None:
    server = RedisServer()
    try:
        app = celery_app(Settings.load({"REDIS_URL": server.url}))
        if gathers:
            TaskEvents(app)
        else:
            app.events_cls = PromptEvents
        with app, app.connection_for_write() as connection:
            dispatcher = app.events.Dispatcher(connection, hostname="a")
            dispatcher.send("worker-heartbeat", retry=True)  # as Celery's own
            server.terminate()

            def beat() -> None:
                for number in range(3):
                    dispatcher.send("worker-heartbeat", retry=True, number=number)

            beating = threading.Thread(target=beat, daemon=True)
            beating.start()
            beating.join(10)
            assert not beating.is_alive()
            assert [event["number"] for event, _ in dispatcher._outbound_buffer] == [2]
            server.restart()
            dispatcher.flush()
            assert not dispatcher._outbound_buffer
    finally:
        server.stop()


def test_a_task_has_the_same_backend_in_every_thread(app: Celery) -> None:
    def work() -> None: ...

    task = app.task(name="of-ours")(work)
    pin_backend(app)
    found: list[object] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(task.backend))
        thread.start()
        thread.join()
    assert found[0] is found[1] is task.backend


def test_the_settings_can_be_asked_for_as_flower_does(app: Celery) -> None:
    orjson.dumps(app.conf.table(with_defaults=False)["broker_transport"])
