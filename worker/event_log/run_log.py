"""The writer's side of one run's log: events in, batches of encoded entries out (R16, R29). Pure.

Problem: an append whose answer is lost may have been done, so it is sent again; Redis may lose the
log; and a run may bring more text than a process can keep.
Idea: events wait, and adjacent deltas of one kind are merged while they do. `freeze` numbers and
encodes what waits into a batch that never changes until it is acknowledged, so that the server can
recognise it. Acknowledged entries stay in memory, to install the log again, until a checkpoint (the
fold of all entries so far: transcript, state events, stream position) replaces them.
Invariant: each seq stands for one sequence of bytes; `checkpoint` plus `tail` is the whole log up
to `head`; the fold has exactly the frozen events. Redis is not known here: see `publisher`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from shared.event_log.keys import RunKeys
from shared.event_log.types import Batch
from shared.protocol import events
from shared.protocol.events import DELTAS, Payload
from shared.protocol.state_events import StateEvents
from shared.protocol.timeline import Timeline
from shared.protocol.transcript import Transcript
from worker.event_log.stream_position import StreamPosition, delta_field

log = logging.getLogger(__name__)

BATCH_BYTES = 1_000_000  # a batch is one Lua call: other runs wait for it
BATCH_ENTRIES = 500
MERGED_CHARS = 16_384  # of a merged delta; a text that was cut at the size limit stays cut


class RunLog:
    """The writer of one run's log, for one fence.

    `add` is called by the run's threads; `freeze`, `acknowledge`, `fold` and `cut` by the
    publisher's. The fold grows with each frozen event, so right after an acknowledgement it is the
    fold of the log.
    """

    def __init__(
        self,
        keys: RunKeys,
        *,
        fence: int,
        epoch: int,
        head: int,
        session_id: str | None,
        on_pending: Callable[[RunLog], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """`head`: the last seq that stands in the log. `on_pending` is called when an event waits
        to be sent, `on_lost` once, when the run is no longer ours."""
        self.keys = keys
        self.fence = fence
        self.epoch = epoch
        self.head = head  # last acknowledged seq
        self.lost = False  # the run is no longer ours
        self.broke_off = False  # clients may have seen what this epoch does not have (R17)
        self.base = 0  # the seq up to which `checkpoint` is the fold
        self.checkpoint = b""
        self.tail: list[bytes] = []  # acknowledged entries after `base`
        self.tail_bytes = 0
        self.transcript = Transcript(keys.run_id, session_id)
        self.state_events = StateEvents()
        self.timeline = Timeline()
        self._on_pending = on_pending
        self._on_lost = on_lost
        self._common: Payload = {"run_id": keys.run_id, "epoch": epoch}
        if session_id is not None:
            self._common["session_id"] = session_id
        self._position = StreamPosition()
        self._pending: list[tuple[str, Payload]] = []
        self._frozen: Batch | None = None
        # Held while waiting events change: a delta that is merged into one that is being encoded
        # would be lost.
        self._changing = threading.Lock()
        self._settled = threading.Condition()

    def add(self, name: str, payload: Mapping[str, Any]) -> None:
        """Have the event sent with the next seq. A delta is merged into a waiting one before it;
        another event that does not say when it was gets the time. Does nothing once the run is
        lost."""
        if self.lost:
            return
        stamp = {} if name in DELTAS else {"timestamp": time.time()}
        with self._changing:
            if name in DELTAS and self._merge_into_last(name, payload):
                return
            self._pending.append((name, {**stamp, **payload, "event": name}))
        self._on_pending(self)

    def _merge_into_last(self, name: str, payload: Mapping[str, Any]) -> bool:
        """Append the delta to the last waiting event if that is one of its kind and field; whether
        it was."""
        if not self._pending or self._pending[-1][0] != name:
            return False
        last = self._pending[-1][1]
        field = delta_field(payload)
        if field not in last or len(last[field]) + len(payload[field]) > MERGED_CHARS:
            return False
        last[field] += payload[field]
        return True

    def position(self) -> StreamPosition:
        """How much of the gateway's stream was added so far, waiting events included."""
        with self._changing:
            position = self._position.copy()
            for name, payload in self._pending:
                position.count(name, payload)
        return position

    def everything_added(self) -> Transcript:
        """The messages of all events so far, waiting ones included, which `transcript` has only
        later. A copy, which does not change."""
        with self._changing:
            added = self.transcript.copy()
            for _, payload in self._pending:
                added.apply(payload)
        return added

    @property
    def idle(self) -> bool:
        """Whether Redis has acknowledged everything that was added."""
        with self._changing:
            return not self._pending and self._frozen is None

    def freeze(self) -> Batch | None:
        """The batch to send: the same one until it is acknowledged, then one of what has gathered
        since. None if nothing waits. An event that cannot be encoded is left out and logged."""
        with self._changing:
            frozen = self._freeze()
            is_idle = frozen is None and not self._pending
        if is_idle:
            self._notify_settled()
        return frozen

    def _freeze(self) -> Batch | None:
        if self._frozen is None and self._pending and not self.lost:
            entries = tuple(self._encode_pending())
            if entries:
                self._frozen = Batch(self.keys, self.fence, self.head, entries)
        return self._frozen

    def _encode_pending(self) -> list[bytes]:
        """Move waiting events out of `_pending`, as many as a batch may have, encoded."""
        taken: list[bytes] = []
        size = done = 0
        for name, payload in self._pending:
            payload.update(self._common, seq=self.head + len(taken) + 1)
            try:
                entry = events.encode(name, payload)
            except TypeError as error:
                self._drop(name, payload, error)
                done += 1
                continue
            # A copy of its size: the encoder's own bytes keep a hole of a kilobyte behind them,
            # which adds up, since entries stay until the next checkpoint.
            entry = bytes(memoryview(entry))
            if taken and (size + len(entry) > BATCH_BYTES or len(taken) == BATCH_ENTRIES):
                break
            size += len(entry)
            done += 1
            taken.append(entry)
            self._apply(name, payload, time.time())
        del self._pending[:done]
        return taken

    def _drop(self, name: str, payload: Payload, error: TypeError) -> None:
        """Leave the event out, but count it as read: a replay of the stream has it again."""
        log.error("event.dropped run_id=%s name=%r error=%s", self.keys.run_id, name[:100], error)
        self._position.count(name, payload)
        self.broke_off = True

    def acknowledge(self) -> None:
        """Redis has the frozen batch: count it as part of the log."""
        assert self._frozen is not None
        self.head += len(self._frozen.entries)
        self.tail.extend(self._frozen.entries)
        self.tail_bytes += sum(map(len, self._frozen.entries))
        self._frozen = None
        self._notify_settled()

    def _notify_settled(self) -> None:
        with self._settled:
            self._settled.notify_all()

    def fold(self) -> bytes:
        """The log's checkpoint at `head`, as JSON. Call it right after an acknowledgement."""
        return orjson.dumps(
            {
                "transcript": self.transcript.to_state(),
                "state_events": self.state_events.to_state(),
                "place": self._position.to_state(),
                "timeline": self.timeline.to_state(),
            }
        )

    def cut(self, fold: bytes) -> None:
        """Record that Redis has replaced all entries by `fold`; free them."""
        self.base, self.checkpoint, self.tail, self.tail_bytes = self.head, fold, [], 0

    def restore(self, checkpoint: bytes | None, base: int, entries: list[bytes]) -> None:
        """Continue an earlier owner's log: its checkpoint and the entries after `base` (R14)."""
        if checkpoint:
            state = orjson.loads(checkpoint)
            self.transcript = Transcript.from_state(state["transcript"])
            self.state_events = StateEvents.from_state(state["state_events"])
            self._position = StreamPosition.from_state(state.get("place"))
            self.timeline = Timeline.from_state(state.get("timeline"))
        self.base, self.checkpoint, self.tail = base, checkpoint or b"", list(entries)
        self.tail_bytes = sum(map(len, entries))
        for entry in entries:
            self._apply(*events.decode(entry))

    def _apply(self, name: str, payload: Payload, now: float | None = None) -> None:
        """`now`: when it came; None for an event of an earlier owner, which says it itself."""
        self.transcript.apply(payload)
        self.timeline.apply(name, payload, now)
        if name not in DELTAS:
            self.state_events.apply(payload)
        self._position.count(name, payload)

    def lose(self) -> None:
        """The run is no longer ours: drop what waits and write nothing more. A second call does
        nothing."""
        if self.lost:
            return
        self.lost = True
        with self._changing:
            self._pending, self._frozen = [], None
        self._notify_settled()
        self._on_lost()

    def wait_settled(self, seconds: float) -> bool:
        """Wait until the log is idle; False if it was not within so many seconds, or is lost."""
        deadline = time.monotonic() + seconds
        with self._settled:
            while not self.idle and not self.lost:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                self._settled.wait(remaining)
        return not self.lost

    def close(self) -> int:
        """Drop what waits, and return the last seq before the run's end: that of the log, or of a
        batch that is on its way while Redis is away. What was dropped clients do not see live, only
        in the run's stored messages (R20), which are made of `everything_added` before."""
        with self._changing:
            frozen = self._freeze()
            self._pending = []
        return self.head if frozen is None else frozen.head + len(frozen.entries)
