"""The one pub/sub connection of a process: which bells it hears, and the proof that it hears.

redis-py reconnects silently, and what was published in between is lost. So every reconnect, also a
hidden one, starts a new subscriber that confirms all channels before it says `on_gap`.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any

from redis.client import PubSub

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import RELAY_ECHO, session_channel, tag_of_channel

log = logging.getLogger(__name__)

DEAF_AFTER = 8.0  # seconds without a word of our own: three were sent
CONFIRM_WITHIN = 3.0  # seconds
RETRY_EVERY = 0.25  # seconds


class _State(Enum):
    JOINING = "joining"
    ON = "on"
    LEAVING = "leaving"


class _NoticingPubSub(PubSub):
    """Remembers that the connection is not the first any more."""

    reconnected = False

    def on_connect(self, connection: Any) -> None:
        self.reconnected = True
        super().on_connect(connection)


class Subscriber:
    """Start once, stop at will. `add` and `remove` may be called from any thread."""

    def __init__(
        self,
        redis: Commands,
        on_notification: Callable[[str, bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        """`on_bell(tag, data)` and `on_gap()` are called by the reader: they must not wait."""
        self._redis = redis
        self._on_notification = on_notification
        self._on_gap = on_gap
        self.echo = RELAY_ECHO + uuid.uuid4().hex
        self.heard_at = 0.0
        self.reconnects = 0
        self._states: dict[str, _State] = {}
        self._changed = threading.Condition()
        self._pubsub: _NoticingPubSub | None = None
        self._confirming = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._thread = threading.Thread(target=self._run, name="relay-reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and wait for the reader."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(5)

    def hears(self) -> bool:
        """Whether it heard its own word of late."""
        return time.monotonic() - self.heard_at < DEAF_AFTER

    def channels(self) -> int:
        """How many bells it listens to."""
        return len(self._states)

    def add(self, tag: str) -> None:
        """Listen to a bell; returns when Redis has confirmed. Raises RedisAway.

        After RedisAway the bell stays wanted and is subscribed as soon as Redis is back.
        """
        channel = session_channel(tag)
        deadline = time.monotonic() + CONFIRM_WITHIN
        with self._changed:
            self._wait_while(channel, _State.LEAVING, deadline)
            is_new = channel not in self._states
            if is_new:
                self._states[channel] = _State.JOINING
        if is_new:
            self._send("subscribe", channel)
        with self._changed:
            self._wait_while(channel, _State.JOINING, deadline)

    def remove(self, tag: str) -> None:
        """Stop listening to a bell, some time soon."""
        channel = session_channel(tag)
        with self._changed:
            if self._states.get(channel) is not _State.ON:
                self._states.pop(channel, None)
                self._changed.notify_all()
                return
            self._states[channel] = _State.LEAVING
        self._send("unsubscribe", channel)

    def _wait_while(self, channel: str, state: _State, deadline: float) -> None:
        while self._states.get(channel) is state:
            if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                raise RedisUnavailable("Redis: no confirmation of a subscription")

    def _send(self, command: str, channel: str) -> None:
        pubsub = self._pubsub
        if pubsub is None:
            return  # the next connection subscribes to what is wanted then
        try:
            getattr(pubsub, command)(channel)
        except (RedisError, OSError) as error:
            log.info("relay.unsent command=%s error=%s", command, type(error).__name__)
            pubsub.reconnected = True

    # -- the reader -----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._connect()
                while not self._stopping:
                    self._read_one()
            except (RedisError, OSError, ValueError) as error:
                log.warning("relay.disconnected error=%s", type(error).__name__)
            except Exception:  # the edge of the loop: a deaf relay serves nobody
                log.exception("relay.failed")
            self._disconnect()
            if not self._stopping:
                time.sleep(RETRY_EVERY)

    def _connect(self) -> None:
        pubsub = _NoticingPubSub(self._redis.connection_pool)
        with self._changed:
            leaving = [c for c, state in self._states.items() if state is _State.LEAVING]
            for channel in leaving:
                del self._states[channel]
            for channel in self._states:
                self._states[channel] = _State.JOINING
            channels = [self.echo, *self._states]
            self._changed.notify_all()
        self._confirming = True
        pubsub.subscribe(*channels)
        # Until now `add` has sent nothing; what it has asked for meanwhile is late.
        self._pubsub = pubsub
        with self._changed:
            late = [c for c, s in self._states.items() if s is _State.JOINING and c not in channels]
        if late:
            pubsub.subscribe(*late)
        self.heard_at = time.monotonic()

    def _disconnect(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        self.reconnects += 1
        if pubsub is not None:
            with suppress(RedisError, OSError):  # it was broken before
                pubsub.close()

    def _read_one(self) -> None:
        assert self._pubsub is not None
        message = self._pubsub.get_message(timeout=0.5)
        if self._pubsub.reconnected:
            raise RedisError("redis-py reconnected by itself")
        if time.monotonic() - self.heard_at > DEAF_AFTER:
            raise RedisError("deaf")
        if message is None:
            return
        channel = message["channel"].decode()
        if message["type"] == "message":
            self._hear(channel, message["data"])
        else:
            self._confirm(channel, message["type"])

    def _hear(self, channel: str, data: bytes) -> None:
        if channel == self.echo:
            self.heard_at = time.monotonic()
        else:
            self._on_notification(tag_of_channel(channel), data)

    def _confirm(self, channel: str, kind: str) -> None:
        with self._changed:
            state = self._states.get(channel)
            if kind == "subscribe" and state is _State.JOINING:
                self._states[channel] = _State.ON
            elif kind == "unsubscribe" and state is _State.LEAVING:
                del self._states[channel]
            self._changed.notify_all()
            settled = _State.JOINING not in self._states.values()
        if kind == "subscribe" and state is None and channel != self.echo:
            self._send("unsubscribe", channel)  # given up before it was confirmed
        if self._confirming and settled:
            self._confirming = False
            self._on_gap()
