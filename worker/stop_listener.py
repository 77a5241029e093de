"""Listens on Redis for runs that are to stop: a hint, since the row has the flag (R9)."""

import logging
from collections.abc import Callable

from redis.client import PubSub
from redis.exceptions import RedisError

from shared.event_log.clients import database_of, pubsub_client
from shared.event_log.keys import Channels
from shared.service import Service

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds
LISTEN = 1.0  # seconds between looks whether it is to end


class StopListener:
    """Calls `on_stop(run_id)` for each stop that is published. One per worker process."""

    def __init__(self, redis_url: str, installation: str, on_stop: Callable[[str], None]) -> None:
        self._redis = pubsub_client(redis_url)
        self._channel = Channels(installation, database_of(self._redis)).control
        self._on_stop = on_stop
        self._service = Service("stop-listener", self._run)

    def start(self) -> None:
        """Begin to listen."""
        self._service.start()

    def stop(self) -> None:
        """End; takes up to a second."""
        self._service.stop()

    @property
    def healthy(self) -> bool:
        """Whether its loop lives; see `Service.healthy`."""
        return self._service.healthy

    def _run(self) -> None:
        while not self._service.stopping:
            try:
                self._listen()
            except RedisError as error:
                log.warning("stop_listener.waiting error=%s", type(error).__name__)
                self._service.wait(RETRY)
            except Exception:  # the edge of the loop
                log.exception("stop_listener.failed")
                self._service.wait(RETRY)

    def _listen(self) -> None:
        with PubSub(self._redis.connection_pool, ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(self._channel)
            while not self._service.stopping:
                message = pubsub.get_message(timeout=LISTEN)
                if message is not None:
                    self._receive(message["data"])

    def _receive(self, data: bytes) -> None:
        """`stop RUN_ID`; anything else is of another version, and ignored."""
        command, _, run_id = data.partition(b" ")
        if command == b"stop":
            self._on_stop(run_id.decode(errors="replace"))
