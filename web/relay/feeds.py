"""The feeds of a process: found, opened with their subscription, closed when nobody watches."""

import threading
import time

from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.relay.sharded_subscriber import ShardedSubscriber


class Feeds:
    """Feeds by tag. Any thread may call any method."""

    def __init__(self, subscriber: ShardedSubscriber, linger: float) -> None:
        """`linger`: seconds for which a feed without members is kept, since reloads are quick."""
        self._subscriber = subscriber
        self._linger = linger
        self._by_tag: dict[str, Feed] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_tag)

    def open(self, address: FeedAddress) -> Feed:
        """The feed of a session, its subscription confirmed by Redis. Raises RedisUnavailable."""
        feed = self.find_or_make(address)
        self._subscriber.add(feed.tag)
        return feed

    def find_or_make(self, address: FeedAddress) -> Feed:
        """The feed of a session, whether or not its channel is subscribed."""
        tag = address.tag
        with self._lock:
            feed = self._by_tag.get(tag)
            if feed is None:
                feed = self._by_tag[tag] = Feed(address, tag)
            feed.idle_since = time.monotonic()
        return feed

    def find(self, tag: str) -> Feed | None:
        """The feed of that tag, if this process has it."""
        return self._by_tag.get(tag)

    def watched(self) -> list[Feed]:
        """The feeds that have members now."""
        return [feed for feed in list(self._by_tag.values()) if feed.members]

    def close_idle(self, now: float) -> None:
        """Close the feeds that had no member for `linger`. `now`: as of time.monotonic()."""
        for feed in list(self._by_tag.values()):
            if self._is_idle(feed, now):
                self._close(feed, now)

    def _is_idle(self, feed: Feed, now: float) -> bool:
        return not feed.members and now - feed.idle_since > self._linger

    def _close(self, feed: Feed, now: float) -> None:
        if not feed.lock.acquire(blocking=False):
            return  # a socket is joining
        try:
            with self._lock:
                if not self._is_idle(feed, now):
                    return
                feed.closed = True
                del self._by_tag[feed.tag]
                # Inside the lock: a thread that opens the feed anew must find the subscription
                # being removed, and wait for it.
                self._subscriber.remove(feed.tag)
        finally:
            feed.lock.release()
