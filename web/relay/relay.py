"""Moves events from doorbell and log to this process's sockets: each once, in order (R26-R28)."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from shared.errors import RedisUnavailable, Unavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.store import EventLog, LogView
from shared.protocol.events import (
    LogAppended,
    LogReinstalled,
    SessionNotification,
    parse_notification,
)
from web.recovery.offset_emitter import OffsetEmitter, OffsetTrackers
from web.relay import cursor as cursors
from web.relay.cursor import Action, RelayCursor
from web.relay.feed import Bell, Feed, FeedAddress, FeedClosed
from web.relay.gap_check import note_behind
from web.relay.sharded_subscriber import ShardedSubscriber
from web.sockets.delivery import Deliver

log = logging.getLogger(__name__)

LINGER = 5.0  # seconds a bell is kept after its last listener left: reloads are quick
SWEEP_EVERY = 5.0  # seconds
ECHO_EVERY = 2.0  # seconds
TICK = 0.25  # seconds
TRIES = 3


class Relay:
    """Feeds by tag, one subscriber, and a tick that sweeps. Start once, stop at will."""

    def __init__(
        self,
        event_log: EventLog,
        commands: Sequence[Commands],
        subscribers: Sequence[Commands],
        emitter: Deliver,
        *,
        linger: float = LINGER,
        sweep_every: float = SWEEP_EVERY,
        burst: int = 1000,
        standings: OffsetTrackers | None = None,
    ) -> None:
        """`commands` and `subscribers`: a client of each server of the log. `burst`: how many
        entries a member is sent at once before a resync is cheaper."""
        self.log = event_log
        self._logs = event_log.split()
        self._emitter = emitter
        self.teller = OffsetEmitter(emitter, standings if standings is not None else {})
        self._linger = linger
        self._sweep_every = sweep_every
        self._burst = burst
        self._feeds: dict[str, Feed] = {}
        self._feeds_lock = threading.Lock()
        self._stopping = threading.Event()
        self._sweep_now = True
        self._swept_at = self._echoed_at = 0.0
        self._thread: threading.Thread | None = None
        self.subscriber = ShardedSubscriber(
            commands, subscribers, self._on_notification, self._on_gap
        )
        self.resync: Callable[[Feed], None] = lambda _: None  # set by whoever can build one
        self.refills = 0

    def start(self) -> None:
        """Begin to listen and to sweep."""
        self.subscriber.start()
        self._thread = threading.Thread(target=self._run, name="relay-tick", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop both, and wait for them."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)
        self.subscriber.stop()

    def feeds(self) -> int:
        """How many sessions are watched, or were a moment ago."""
        return len(self._feeds)

    # -- joining ----------------------------------------------------------------------------

    def open(self, address: FeedAddress) -> Feed:
        """The feed of a session, its bell confirmed to be heard. Raises RedisAway."""
        feed = self.find_or_make(address)
        self.subscriber.add(feed.tag)
        return feed

    def find_or_make(self, address: FeedAddress) -> Feed:
        """The feed of a session, whether or not its bell is heard yet."""
        tag = address.tag
        with self._feeds_lock:
            feed = self._feeds.get(tag)
            if feed is None:
                feed = self._feeds[tag] = Feed(address, tag)
            feed.idle_since = time.monotonic()
        return feed

    def find(self, tag: str) -> Feed | None:
        """The feed of that tag, if this process has it."""
        return self._feeds.get(tag)

    @contextmanager
    def hold(self, feed: Feed) -> Iterator[Feed]:
        """The feed's lock; bells that ring meanwhile are handled afterwards. Raises FeedClosed."""
        try:
            with feed.lock:
                if feed.closed:
                    raise FeedClosed
                yield feed
        finally:
            self._handle_backlog(feed)

    def read(self, feed: Feed, run_ids: Iterable[str], *, whole: bool) -> list[LogView]:
        """The logs of all runs that go on, of `run_ids`, and of those that members never heard
        of though they ended a moment ago: whole, or what members lack.

        A run that members watch and that is not live any more has ended: they lack its end.
        Under lock. Raises RedisAway.
        """
        known_runs = self.log.known([feed.tag])[0]
        feed.take_ends(known_runs.ended)
        known = {} if whole else {run_id: c.seq for run_id, c in feed.cursors.items()}
        wanted = dict.fromkeys([*known_runs.live, *feed.unended(), *feed.behind, *run_ids])
        asked = [(feed.address.keys(run_id), known.get(run_id, 0)) for run_id in wanted]
        return [view for view in self.log.read(asked) if view is not None]

    def advance(self, feed: Feed, views: Sequence[LogView]) -> None:
        """Give the members what they lack of these logs. Under lock."""
        lost = False
        for view in views:
            lost |= self._advance_one(feed, view)
        feed.behind.clear()
        if lost:
            feed.mark_for_resync(feed.members)
        if feed.needs_resync:
            self._resync(feed)
        feed.forget_oldest()

    def _resync(self, feed: Feed) -> None:
        """Tell the members everything anew; if that fails now, the sweep does it later."""
        log.info("relay.resync members=%s", len(feed.members))
        try:
            self.resync(feed)
        except Unavailable as error:
            log.warning("relay.resync_failed code=%s", error.code)
        else:
            feed.settled()

    def _advance_one(self, feed: Feed, view: LogView) -> bool:
        cursor = feed.cursors.get(view.run_id)
        ended_before = cursor is None and view.ended and view.run_id not in feed.behind
        if not feed.members or ended_before:  # nobody lacks anything of it
            feed.snap_to_head(view)
            return False
        if cursor is None:
            cursor = feed.cursors[view.run_id] = RelayCursor(view.epoch)
        step = cursors.read(cursor, view)
        if len(step.entries) > self._burst:
            step = cursors.Step(step.entries[-1:] if view.ended else (), Action.RESYNC)
        self._deliver(feed, view.run_id, step.entries)
        return step.action is Action.RESYNC

    # -- what the reader hears ---------------------------------------------------------------

    def _on_notification(self, tag: str, data: bytes) -> None:
        feed = self._feeds.get(tag)
        if feed is None or (not feed.members and not feed.lock.locked()):
            return  # without members nothing is decoded (R28)
        bell = parse_notification(data)
        if bell is not None:
            feed.backlog.append(bell)
            self._handle_backlog(feed)

    def _on_gap(self) -> None:
        self._sweep_now = True

    def _handle_backlog(self, feed: Feed) -> None:
        """Handle what was heard, unless somebody holds the feed: who then does it himself."""
        while feed.backlog and feed.lock.acquire(blocking=False):
            try:
                while feed.backlog:
                    self._handle(feed, feed.backlog.popleft())
            finally:
                feed.lock.release()

    def _handle(self, feed: Feed, bell: Bell) -> None:
        if isinstance(bell, SessionNotification):
            self._emitter.deliver(feed.members, bell.entry)
            return
        cursor = feed.cursors.get(bell.run_id)
        if cursor is None:  # what had begun when somebody joined is known: this run is new
            cursor = feed.cursors[bell.run_id] = RelayCursor(bell.epoch)
        if isinstance(bell, LogAppended):
            step = cursors.receive(cursor, bell)
        else:
            step = cursors.receive_reinstall(cursor, bell)
        self._deliver(feed, bell.run_id, step.entries)
        if step.action is Action.READ:
            feed.behind.add(bell.run_id)
            self._fill_soon(feed)
        elif feed.pending_resync and isinstance(bell, LogReinstalled):
            self._fill_soon(feed)
        elif cursor.ended:
            feed.forget_oldest()

    def _deliver(self, feed: Feed, run_id: str, entries: Sequence[bytes]) -> None:
        if entries:
            at, sids = feed.cursors[run_id], list(feed.listeners(run_id))
            if at.ended:
                feed.note_end(run_id)
            self.teller.entries(sids, run_id, at.epoch, at.seq, entries, ended=at.ended)

    # -- gaps ------------------------------------------------------------------------------

    def _fill_soon(self, feed: Feed) -> None:
        if not feed.filling:
            feed.filling = True
            threading.Thread(
                target=self._fill, args=(feed,), name="relay-fill", daemon=True
            ).start()

    def _fill(self, feed: Feed) -> None:
        self.refills += 1
        for tries_left in reversed(range(TRIES)):
            try:
                with self.hold(feed):
                    self.catch_up(feed)
                    feed.filling = False
                return
            except FeedClosed:
                return
            except RedisUnavailable:
                time.sleep(0.1 * (TRIES - tries_left))
            except Exception:  # the edge of a thread; the sweep tries again
                log.exception("relay.fill_failed")
        feed.filling = False

    def catch_up(self, feed: Feed) -> None:
        """Read what the feed lacks and deliver it. Under lock. Raises RedisAway."""
        views = self.read(feed, (), whole=False)
        self.advance(feed, [self._with_end(feed, view) for view in views])

    def _with_end(self, feed: Feed, view: LogView) -> LogView:
        """An end that was fixed below what members saw stands before their cursor: read it."""
        if not view.ended or view.entries:
            return view
        again = self.log.read([(feed.address.keys(view.run_id), 0)])[0]
        return again or view

    # -- the tick --------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                self._tick(time.monotonic())
            except (RedisUnavailable, RedisError, OSError) as error:
                log.info("relay.tick_failed error=%s", type(error).__name__)
            except Exception:  # the edge of the loop: it must survive any error
                log.exception("relay.tick_failed")

    def _tick(self, now: float) -> None:
        self._close_idle(now)
        if now - self._echoed_at >= ECHO_EVERY:
            self._echoed_at = now
            self.subscriber.echo()
        if self._sweep_now or now - self._swept_at >= self._sweep_every:
            self._sweep_now, self._swept_at = False, now
            self.sweep()

    def sweep(self) -> None:
        """Fill what lags behind its log. Raises RedisAway after all servers were looked at."""
        feeds = [feed for feed in list(self._feeds.values()) if feed.members]
        try:
            note_behind(self._logs, feeds)
        finally:
            for feed in feeds:
                if feed.behind or feed.needs_resync:
                    self._fill_soon(feed)

    def _close_idle(self, now: float) -> None:
        for feed in list(self._feeds.values()):
            if not feed.members and now - feed.idle_since > self._linger:
                self._close(feed, now)

    def _close(self, feed: Feed, now: float) -> None:
        if not feed.lock.acquire(blocking=False):
            return  # somebody joins
        try:
            with self._feeds_lock:
                if feed.members or now - feed.idle_since <= self._linger:
                    return
                feed.closed = True
                del self._feeds[feed.tag]
                # Inside the lock: who opens the feed anew must find its bell leaving, and wait.
                self.subscriber.remove(feed.tag)
        finally:
            feed.lock.release()
