"""Listens for "stop this run": a hint for speed; the flag in the row makes it sure (R9)."""

import logging
import threading
import time
from collections.abc import Callable

from redis.client import PubSub
from redis.exceptions import RedisError

from shared.event_log.clients import pubsub_client
from shared.event_log.keys import CONTROL

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds


class StopListener:
    """Calls `on_stop(run_id)` for each stop that is published. One per worker process."""

    def __init__(self, redis_url: str, on_stop: Callable[[str], None]) -> None:
        self._redis = pubsub_client(redis_url)
        self._on_stop = on_stop
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End; takes up to a second."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except RedisError as error:
                log.warning("control.away error=%s", type(error).__name__)
                time.sleep(RETRY)
            except Exception:  # the edge of the loop
                log.exception("control.failed")
                time.sleep(RETRY)

    def _listen(self) -> None:
        with PubSub(self._redis.connection_pool, ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(CONTROL)
            while not self._stopped.is_set():
                message = pubsub.get_message(timeout=1.0)
                if message is not None:
                    self._heard(message["data"])

    def _heard(self, data: bytes) -> None:
        word, _, run_id = data.partition(b" ")
        if word == b"stop":
            self._on_stop(run_id.decode(errors="replace"))
