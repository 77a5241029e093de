"""The events of one run, from the run to the readers of `/events`.

As in the real gateway there is one queue per run and no copy of it: two readers at a time share it,
each frame going to one of them, and the first that leaves takes the stream with it. A reader that
is still attached then gets keep-alives only. With replay, each reader gets all frames.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from enum import Enum
from itertools import islice

# Frames per write: enough to make the cost of a write vanish, little enough to stay smooth.
BATCH = 256


class Mark(Enum):
    """What a reader does instead of writing bytes."""

    CLOSE = "close"
    CUT = "cut"


Frame = bytes | Mark


def encode_event(event: dict[str, object]) -> bytes:
    """One server-sent event: a `data:` line and an empty one."""
    return f"data: {json.dumps(event)}\n\n".encode()


class EventStream:
    """Frames of one run. `listed` tells whether new readers and most new events find it."""

    def __init__(self, *, replay: bool) -> None:
        self.replay = replay
        self.listed = True
        self.created = time.time()
        self.readers: list[Reader] = []
        self._frames: deque[Frame] = deque()
        self._replayed: list[Frame] = []

    def put(self, frame: Frame, *, unlisted_too: bool = False) -> None:
        """Hand a frame over; lost if the stream is dropped, unless `unlisted_too`."""
        if not (self.listed or unlisted_too):
            return
        if self.replay:
            self._replayed.append(frame)
            for reader in self.readers:
                reader.wake()
            return
        self._frames.append(frame)
        self._wake_one()

    def drop(self) -> None:
        """Drop the stream: later readers get 404, attached ones only keep-alives."""
        self.listed = False
        if not self.readers:
            self._frames.clear()
            self._replayed.clear()

    def attach(self, keepalive: float) -> Reader:
        """A reader that gets an empty list after `keepalive` seconds of silence."""
        # A cut affects the readers of that moment, not those that read the stream again.
        self._replayed = [b": cut\n\n" if frame is Mark.CUT else frame for frame in self._replayed]
        reader = Reader(self, keepalive)
        self.readers.append(reader)
        return reader

    def detach(self, reader: Reader) -> None:
        """The reader has left; without replay the stream leaves with it."""
        reader.close()
        self.readers.remove(reader)
        if not self.replay:
            self.drop()

    def pull(self, reader: Reader) -> list[Frame]:
        """What this reader gets next: up to BATCH frames, a mark only as the last."""
        if self.replay:
            frames = _until_mark(
                list(islice(self._replayed, reader.position, reader.position + BATCH))
            )
            reader.position += len(frames)
            return frames
        # Two readers split the frames one by one, also when many are there at once.
        limit = BATCH if len(self.readers) == 1 else 1
        return [self._frames.popleft() for _ in range(self._ready(limit))]

    def _ready(self, limit: int) -> int:
        count = 0
        for frame in islice(self._frames, limit):
            count += 1
            if isinstance(frame, Mark):
                break
        return count

    def _wake_one(self) -> None:
        for reader in self.readers:
            if reader.waiting:
                # To the end of the list: the readers take turns.
                self.readers.remove(reader)
                self.readers.append(reader)
                reader.wake()
                return


def _until_mark(frames: list[Frame]) -> list[Frame]:
    for index, frame in enumerate(frames):
        if isinstance(frame, Mark):
            return frames[: index + 1]
    return frames


class Reader:
    """One open `/events` response."""

    def __init__(self, stream: EventStream, keepalive: float) -> None:
        self.position = 0
        self._stream = stream
        self._keepalive = keepalive
        self._loop = asyncio.get_running_loop()
        self._last_at = self._loop.time()
        self._wakeup: asyncio.Future[bool] | None = None
        # One timer per silence, not one per event: it moves itself on while events come.
        self._timer = self._loop.call_later(keepalive, self._on_timer)

    @property
    def waiting(self) -> bool:
        """Whether it sleeps until a frame comes."""
        return self._wakeup is not None and not self._wakeup.done()

    async def take(self) -> list[Frame]:
        """The next frames, in order; an empty list after a silence."""
        while True:
            if len(self._stream.readers) > 1:
                await asyncio.sleep(0)  # the other readers' turn
            frames = self._stream.pull(self)
            if frames:
                self._last_at = self._loop.time()
                return frames
            self._wakeup = self._loop.create_future()
            if not await self._wakeup:
                return []

    def wake(self) -> None:
        """Look again for frames."""
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(True)

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _on_timer(self) -> None:
        now = self._loop.time()
        due = self._last_at + self._keepalive
        if now >= due - 0.001:
            self._last_at = now
            due = now + self._keepalive
            if self._wakeup is not None and not self._wakeup.done():
                self._wakeup.set_result(False)
        self._timer = self._loop.call_at(due, self._on_timer)
