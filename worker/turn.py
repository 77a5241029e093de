"""One run in the hands of this worker: its claim, its log, its lease, its flags. State only."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.db.runs.claim import Claim
from shared.errors import OwnershipLost
from worker.event_log.run_log import RunLog
from worker.event_log.stream_position import POLLING, REATTACHED, REPLAY
from worker.gateway.client import GatewayClient
from worker.gateway.stream.event_stream import EventStream
from worker.lease.keeper import Lease


class FollowMode(StrEnum):
    """How the gateway's run is followed."""

    READ = "read"  # its event stream, which was never opened before
    REPLAY = REPLAY  # its event stream from the start again, without what the log already has
    POLL = POLLING  # its status and its transcript; live text pauses


@dataclass
class TurnSignals:
    """What other threads set for the thread that does the run: stop, wake up, drop the stream.

    The log and the lease call it, and it refers to neither of them: without a cycle of references
    a run that has ended is freed at once, not when the garbage collector comes.
    """

    stop_requested: threading.Event = field(default_factory=threading.Event)
    stop_requested_at: float = 0.0  # monotonic time
    changed: threading.Event = field(default_factory=threading.Event)
    stream: EventStream | None = None

    def request_stop(self) -> None:
        """Have the run end. May be called often, from any thread."""
        if not self.stop_requested.is_set():
            self.stop_requested_at = time.monotonic()
            self.stop_requested.set()
            self.changed.set()

    def cut_stream(self) -> None:
        """Wake the thread that reads the gateway's stream."""
        stream = self.stream
        if stream is not None:
            stream.cut()

    def note_lost(self) -> None:
        """The run has another owner: wake the threads that wait on its behalf."""
        self.cut_stream()
        self.changed.set()


@dataclass
class Turn:
    """Shared by the thread that does the run and those that watch it."""

    claim: Claim
    run_log: RunLog
    lease: Lease
    gateway: GatewayClient
    signals: TurnSignals
    began: float = field(default_factory=time.monotonic)
    ephemeral_id: str | None = None
    gateway_run_id: str | None = None
    stream_opened_before: bool = False  # an earlier owner may have read the stream (R1)
    stream_noted: bool = False  # the attempt's row says that the stream was opened (R1)
    follow_mode: FollowMode = FollowMode.READ
    stop_announced: bool = False
    stop_sent: bool = False
    timed_out: bool = False
    usage: Mapping[str, Any] | None = None  # as it was stored with the end

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.claim.run_id

    @property
    def lost(self) -> bool:
        """Whether the run has another owner by now."""
        return self.run_log.lost or self.lease.lost

    def check(self) -> None:
        """Raise OwnershipLost if the run has another owner by now."""
        if self.lost:
            raise OwnershipLost()

    def lose(self) -> None:
        """Write nothing more for this run, and wake its threads."""
        self.run_log.lose()

    @property
    def stop_requested(self) -> bool:
        """Whether the run is to end: a person wants it, or its time is over."""
        return self.signals.stop_requested.is_set()

    def request_stop(self) -> None:
        """See TurnSignals.request_stop."""
        self.signals.request_stop()

    def time_out(self) -> None:
        """Stop the run because it took longer than a run may take."""
        self.timed_out = True
        self.request_stop()

    def announce_stop(self) -> None:
        """Show clients once that a person's stop is under way; nothing for a run out of time."""
        if not self.stop_announced and not self.timed_out:
            self.stop_announced = True
            self.run_log.add("abort.started", {})

    def switch_mode(self, mode: FollowMode) -> None:
        """Follow the gateway's run in this way from now on. Clients are shown each replay, and
        polling when it begins (`run.reattached`)."""
        if mode is FollowMode.POLL and self.follow_mode is mode:
            return
        self.follow_mode = mode
        if mode is not FollowMode.READ:
            self.run_log.add(REATTACHED, {"mode": str(mode)})

    def pause(self, seconds: float) -> None:
        """Wait that long, or until something about the run has changed."""
        self.signals.changed.wait(seconds)
        self.signals.changed.clear()  # after the wait: what came before it is not missed
