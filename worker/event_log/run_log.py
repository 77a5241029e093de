"""One run's end of the log: gathers events, merges deltas, freezes batches, remembers (R16, R29).

It knows sequence numbers and bytes; it does not know Redis.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from shared.event_log.keys import RunKeys
from shared.event_log.store import Batch
from shared.protocol import events
from shared.protocol.events import DELTAS, Payload
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from worker.event_log.stream_position import StreamPosition, delta_field

BATCH_BYTES = 1_000_000  # a batch is one Lua call: other runs wait for it
BATCH_ENTRIES = 500


class RunLog:
    """The writer of one run's log, for one fence.

    `add` is called by the run; `freeze`, `acknowledge`, `cut` by the publisher. The fold grows
    with each frozen event, so after an acknowledgement it is the fold of the log.
    """

    def __init__(
        self,
        keys: RunKeys,
        *,
        fence: int,
        epoch: int,
        head: int,
        session_id: str | None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.keys = keys
        self.fence = fence
        self.epoch = epoch
        self.head = head  # last acknowledged seq
        self.lost = False
        self.broke_off = False  # clients may have seen what this epoch does not have (R17)
        self.base = 0
        self.checkpoint = b""
        self.tail: list[bytes] = []  # acknowledged entries after base
        self.tail_bytes = 0
        self.transcript = Transcript(keys.run_id, session_id)
        self.state_events = StateEvents()
        self._on_lost = on_lost
        self.on_pending: Callable[[RunLog], None] = lambda _: None  # set by the publisher
        self._common: Payload = {"run_id": keys.run_id, "epoch": epoch}
        if session_id is not None:
            self._common["session_id"] = session_id
        self._position = StreamPosition()
        self._pending: list[tuple[str, Payload]] = []
        self._frozen: Batch | None = None
        self._settled = threading.Condition()

    def add(self, name: str, payload: Mapping[str, Any]) -> None:
        """Take an event; it will get the next seq. Adjacent deltas of one kind become one."""
        if self.lost:
            return
        if name in DELTAS and self._merged(name, payload):
            return
        self._pending.append((name, {**payload, "event": name}))
        self.on_pending(self)

    def _merged(self, name: str, payload: Mapping[str, Any]) -> bool:
        """Join the delta to the last event that waits, if that is one of its kind and field."""
        if not self._pending or self._pending[-1][0] != name:
            return False
        last = self._pending[-1][1]
        field = delta_field(payload)
        if field not in last or len(last[field]) > MERGED_CHARS:
            return False
        last[field] += payload[field]
        return True

    def position(self) -> StreamPosition:
        """How much of the gateway's stream was added so far, waiting events included."""
        waiting = list(self._pending)  # first: what is frozen meanwhile counts twice, not never
        position = self._position.copy()
        for name, payload in waiting:
            position.count(name, payload)
        return position

    @property
    def idle(self) -> bool:
        """Whether everything that was added stands in the log."""
        return not self._pending and self._frozen is None

    def freeze(self) -> Batch | None:
        """The batch to send: the one that was not acknowledged, else what gathered since."""
        if self._frozen is None and self._pending and not self.lost:
            self._frozen = Batch(self.keys, self.fence, self.head, tuple(self._take()))
        return self._frozen

    def _take(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        for name, payload in self._pending:
            payload.update(self._common, seq=self.head + len(taken) + 1)
            entry = events.encode(name, payload)
            # A copy of its size: the encoder's own bytes keep a hole of a kilobyte behind them,
            # which adds up, since entries stay until the next checkpoint.
            entry = bytes(memoryview(entry))
            if taken and (size + len(entry) > BATCH_BYTES or len(taken) == BATCH_ENTRIES):
                break
            size += len(entry)
            taken.append(entry)
            self._apply(name, payload)
        del self._pending[: len(taken)]
        return taken

    def acknowledge(self) -> None:
        """The frozen batch stands in the log."""
        assert self._frozen is not None
        self.head += len(self._frozen.entries)
        self.tail.extend(self._frozen.entries)
        self.tail_bytes += sum(map(len, self._frozen.entries))
        self._frozen = None
        with self._settled:
            self._settled.notify_all()

    def fold(self) -> bytes:
        """The checkpoint of everything acknowledged; call it right after an acknowledgement."""
        return orjson.dumps(
            {
                "transcript": self.transcript.to_state(),
                "state_events": self.state_events.to_state(),
                "place": self._position.to_state(),
            }
        )

    def cut(self, fold: bytes) -> None:
        """The log now begins with `fold` at the head."""
        self.base, self.checkpoint, self.tail, self.tail_bytes = self.head, fold, [], 0

    def restore(self, checkpoint: bytes | None, base: int, entries: list[bytes]) -> None:
        """Take over a log: its checkpoint and the entries after `base` (R14)."""
        if checkpoint:
            state = orjson.loads(checkpoint)
            self.transcript = Transcript.from_state(state["transcript"])
            self.state_events = StateEvents.from_state(state["state_events"])
            self._position = StreamPosition.from_state(state.get("place"))
        self.base, self.checkpoint, self.tail = base, checkpoint or b"", list(entries)
        self.tail_bytes = sum(map(len, entries))
        for entry in entries:
            self._apply(*events.decode(entry))

    def _apply(self, name: str, payload: Payload) -> None:
        self.transcript.apply(payload)
        self.state_events.apply(payload)
        self._position.count(name, payload)

    def lose(self) -> None:
        """The run is no longer ours: nothing more is written."""
        if self.lost:
            return
        self.lost = True
        self._pending, self._frozen = [], None
        with self._settled:
            self._settled.notify_all()
        self._on_lost()

    def wait_settled(self, seconds: float) -> bool:
        """Wait until everything stands in the log; False if it did not in time, or is lost."""
        deadline = time.monotonic() + seconds
        with self._settled:
            while not self.idle and not self.lost:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._settled.wait(left)
        return not self.lost

    def abandon(self) -> list[tuple[str, Payload]]:
        """Redis is away for too long: forget what it has not got; that stays unseen (R20)."""
        left, self._pending = self._pending, []
        return left


MERGED_CHARS = 32_768  # a merged delta stays a small event
