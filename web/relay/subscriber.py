"""One pub/sub connection: which channels it is subscribed to, and the proof that it receives.

Problem: what is published while a subscriber is not connected is lost. redis-py reconnects
silently, a half-open connection looks alive and delivers nothing, and a command that was sent is
not yet a subscription.

Idea: a channel counts as subscribed when Redis has confirmed it. The relay publishes an echo every
two seconds; a reader that does not receive its echo gives its connection up. Every reconnect, also
a hidden one, starts a new connection that confirms all channels before it calls `on_gap`, whereupon
the relay compares all feeds with their logs.

Invariant: after `add` returned, each notification of the channel is passed on, or `on_gap` follows.
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
from shared.event_log.keys import RELAY_ECHO, Channels, tag_of_channel
from shared.metrics import web as metrics
from shared.service import Service

log = logging.getLogger(__name__)

SILENT_AFTER = 8.0  # seconds without an echo: three were sent
CONFIRM_WITHIN = 3.0  # seconds
RETRY_EVERY = 0.25  # seconds


class _State(Enum):
    SUBSCRIBING = "subscribing"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBING = "unsubscribing"


class _NoticingPubSub(PubSub):
    """Remembers that the connection is not the first any more."""

    reconnected = False

    def on_connect(self, connection: Any) -> None:
        self.reconnected = True
        super().on_connect(connection)


class Subscriber:
    """`add` and `remove` may be called from any thread."""

    def __init__(
        self,
        redis: Commands,
        channels: Channels,
        name: str,
        *,
        on_notification: Callable[[str, bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        """`on_notification(tag, data)` and `on_gap()` are called by the reader: they must not wait.
        `name`: of the service."""
        self._redis = redis
        self._channels = channels
        self._on_notification = on_notification
        self._on_gap = on_gap
        self.echo = RELAY_ECHO + uuid.uuid4().hex
        self.reconnects = 0
        self.service = Service(name, self._read_until_stopped)
        self._echoed_at = 0.0  # when the last echo was received, time.monotonic()
        self._states: dict[str, _State] = {}
        self._changed = threading.Condition()
        self._pubsub: _NoticingPubSub | None = None
        self._confirming = False

    def receives(self) -> bool:
        """Whether it received its own echo of late."""
        return time.monotonic() - self._echoed_at < SILENT_AFTER

    def channels(self) -> int:
        """How many channels are wanted or subscribed."""
        return len(self._states)

    def add(self, tag: str) -> None:
        """Subscribe; returns when Redis has confirmed. Raises RedisUnavailable.

        After that error the channel stays wanted, and is subscribed as soon as Redis is back.
        """
        channel = self._channels.session(tag)
        deadline = time.monotonic() + CONFIRM_WITHIN
        with self._changed:
            self._wait_while(channel, _State.UNSUBSCRIBING, deadline)
            is_new = channel not in self._states
            if is_new:
                self._states[channel] = _State.SUBSCRIBING
        if is_new:
            self._send("subscribe", channel)
        with self._changed:
            self._wait_while(channel, _State.SUBSCRIBING, deadline)

    def remove(self, tag: str) -> None:
        """Unsubscribe, some time soon."""
        channel = self._channels.session(tag)
        with self._changed:
            if self._states.get(channel) is not _State.SUBSCRIBED:
                self._states.pop(channel, None)
                self._changed.notify_all()
                return
            self._states[channel] = _State.UNSUBSCRIBING
        self._send("unsubscribe", channel)

    def _wait_while(self, channel: str, state: _State, deadline: float) -> None:
        while self._states.get(channel) is state:
            if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                raise RedisUnavailable("Redis: no confirmation of a subscription")

    def _send(self, command: str, channel: str) -> None:
        pubsub = self._pubsub
        if pubsub is None:
            return  # the next connection subscribes to all that is wanted
        try:
            getattr(pubsub, command)(channel)
        except (RedisError, OSError) as error:
            log.info("relay.command_failed command=%s error=%s", command, type(error).__name__)
            pubsub.reconnected = True

    # -- the reader -----------------------------------------------------------------------

    def _read_until_stopped(self) -> None:
        while not self.service.stopping:
            try:
                self._connect()
                while not self.service.stopping:
                    self._read_one()
            except (RedisError, OSError, ValueError) as error:
                log.warning("relay.disconnected error=%s", type(error).__name__)
            except Exception:  # the edge of the loop: without notifications only the sweep delivers
                log.exception("relay.failed")
            self._disconnect()
            self.service.wait(RETRY_EVERY)

    def _connect(self) -> None:
        pubsub = _NoticingPubSub(self._redis.connection_pool)
        with self._changed:
            unsubscribing = [
                c for c, state in self._states.items() if state is _State.UNSUBSCRIBING
            ]
            for channel in unsubscribing:
                del self._states[channel]
            for channel in self._states:
                self._states[channel] = _State.SUBSCRIBING
            channels = [self.echo, *self._states]
            self._changed.notify_all()
        self._confirming = True
        pubsub.subscribe(*channels)
        # Until now `add` could send nothing: what it asked for meanwhile is subscribed here.
        self._pubsub = pubsub
        with self._changed:
            late = [
                c for c, s in self._states.items() if s is _State.SUBSCRIBING and c not in channels
            ]
        if late:
            pubsub.subscribe(*late)
        self._echoed_at = time.monotonic()

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
        if time.monotonic() - self._echoed_at > SILENT_AFTER:
            raise RedisError("no echo received")
        if message is None:
            return
        channel = message["channel"].decode()
        if message["type"] == "message":
            self._receive(channel, message["data"])
        else:
            self._confirm(channel, message["type"])

    def _receive(self, channel: str, data: bytes) -> None:
        if channel == self.echo:
            self._echoed_at = time.monotonic()
            with suppress(ValueError):  # what others publish there is no time
                metrics.RELAY_LAG.observe(max(0.0, self._echoed_at - float(data)))
        else:
            self._on_notification(tag_of_channel(channel), data)

    def _confirm(self, channel: str, kind: str) -> None:
        with self._changed:
            state = self._states.get(channel)
            if kind == "subscribe" and state is _State.SUBSCRIBING:
                self._states[channel] = _State.SUBSCRIBED
            elif kind == "unsubscribe" and state is _State.UNSUBSCRIBING:
                del self._states[channel]
            self._changed.notify_all()
            all_confirmed = _State.SUBSCRIBING not in self._states.values()
        if kind == "subscribe" and state is None and channel != self.echo:
            self._send("unsubscribe", channel)  # removed before it was confirmed
        if self._confirming and all_confirmed:
            self._confirming = False
            self._on_gap()
