"""One run in the hands of this worker: the claim, its log, its flags. State, no story."""

import threading
import time
from dataclasses import dataclass, field

from shared.db.runs.claim import Claim
from shared.errors import OwnershipLost
from worker.event_log.run_log import RunLog
from worker.gateway.client import GatewayClient
from worker.gateway.stream.event_stream import EventStream
from worker.lease.keeper import Lease


@dataclass
class Turn:
    """Shared between the thread that does the run and those that watch it."""

    claim: Claim
    run_log: RunLog
    lease: Lease
    gateway: GatewayClient
    began: float = field(default_factory=time.monotonic)
    ephemeral_id: str | None = None
    gateway_run_id: str | None = None
    stream: EventStream | None = None
    stream_noted: bool = False  # the attempt says that its stream was opened (R1)
    stop_asked: threading.Event = field(default_factory=threading.Event)
    stop_asked_at: float = 0.0
    stop_announced: bool = False
    stop_sent: bool = False
    timed_out: bool = False
    changed: threading.Event = field(default_factory=threading.Event)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.claim.run_id

    @property
    def lost(self) -> bool:
        """Whether the run belongs to somebody else by now."""
        return self.run_log.lost or self.lease.lost

    def ask_stop(self) -> None:
        """A person wants the run to end. May be called often, from any thread."""
        if not self.stop_asked.is_set():
            self.stop_asked_at = time.monotonic()
            self.stop_asked.set()
            self.changed.set()

    def lose(self) -> None:
        """The run belongs to somebody else: write nothing more and let go of the stream."""
        self.run_log.lose()
        self.cut_stream()
        self.changed.set()

    def cut_stream(self) -> None:
        """Wake the thread that reads the gateway's stream."""
        if self.stream is not None:
            self.stream.cut()

    def let_go(self) -> None:
        """It is over: what it holds is freed at once, not when the garbage collector comes."""
        head = self.run_log.head
        self.lease.last_seq = lambda: head
        self.lease.on_stop = self.lease.on_lost = self.run_log.on_lost = self.run_log.on_pending = (
            _nothing
        )

    def check(self) -> None:
        """Raises LostRun if the run is no longer ours."""
        if self.lost:
            raise OwnershipLost()


def _nothing() -> None:
    """Who is told of a run that is over."""
