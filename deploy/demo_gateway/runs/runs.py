"""The runs of this process: starts, finds, stops and drops them."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from deploy.demo_gateway.record import Record, RunRecord
from deploy.demo_gateway.runs.event_stream import EventStream, encode_event
from deploy.demo_gateway.runs.script import Script
from deploy.demo_gateway.sessions import SessionStore, TurnWriter

log = logging.getLogger(__name__)

# The real gateway's own times: a stream without a reader, and a status after the end.
STREAM_TTL = 300.0
STATUS_TTL = 3600.0
SWEEP_EVERY = 60.0

TERMINAL = frozenset({"completed", "failed", "cancelled", "interrupted"})
COUNTED_AS_ACTIVE = frozenset({"queued", "running", "waiting_for_approval"})


@dataclass(frozen=True)
class Order:
    """A valid `POST /v1/runs`; `size` is that of its body in bytes, `key` the idempotency key."""

    content: str | list[Any]
    text: str
    session_id: str | None
    model: str
    script: Script
    body: dict[str, Any]
    size: int
    key: str = ""


@dataclass
class Run:
    """One run: its pollable status, its stream, its record, and the task that plays it."""

    run_id: str
    session_id: str
    order: Order
    stream: EventStream
    record: RunRecord
    writer: TurnWriter
    status: dict[str, Any]
    stopping: bool = False
    approvals: deque[asyncio.Future[str]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether the run is being played, also after a request to stop it."""
        return self.task is not None and not self.task.done()

    def set_status(self, status: str, **fields: Any) -> None:
        """Change what `GET /v1/runs/{id}` shows."""
        self.status.update(status=status, updated_at=time.time(), **fields)
        self.record.status = status

    def send_event(self, name: str, *, unlisted_too: bool = False, **fields: Any) -> None:
        """Put one event on the stream and show its name in the status."""
        self.status.update(last_event=name, updated_at=time.time())
        event = {"event": name, "run_id": self.run_id, "timestamp": time.time(), **fields}
        self.stream.put(encode_event(event), unlisted_too=unlisted_too)


class Runs:
    """All runs until their status expires. `play` is the coroutine that carries out one run."""

    def __init__(
        self,
        sessions: SessionStore,
        record: Record,
        play: Callable[[Run], Coroutine[Any, Any, None]],
        *,
        max_runs: int,
        session_delay: float,
        replay: bool,
    ) -> None:
        self.max_runs = max_runs
        self._sessions = sessions
        self._record = record
        self._play = play
        self._session_delay = session_delay
        self._replay = replay
        self._runs: dict[str, Run] = {}

    @property
    def full(self) -> bool:
        """Whether the cap is reached; 0 is no cap."""
        return 0 < self.max_runs <= sum(run.active for run in self._runs.values())

    def counted_active(self) -> int:
        """Active runs as the health page counts them: stopping ones are not."""
        return sum(run.status["status"] in COUNTED_AS_ACTIVE for run in self._runs.values())

    def find(self, run_id: str) -> Run | None:
        """The run, or None if it is unknown or its status has expired."""
        return self._runs.get(run_id)

    def start(self, order: Order) -> Run:
        """Create a run and schedule its player on the event loop."""
        run = self._new_run(order)
        self._runs[run.run_id] = run
        self._record.add_run(run.record)
        run.task = asyncio.create_task(self._play(run))
        delay = order.script.session_delay
        late = self._session_delay if delay is None else delay
        asyncio.get_running_loop().call_later(late, run.writer.open)
        log.info("demo.run_started run_id=%s session_id=%s", run.run_id, run.session_id)
        return run

    def stop(self, run_id: str) -> bool:
        """Ask a run to stop; False if no run of that id is active."""
        run = self._runs.get(run_id)
        found = run is not None and run.active
        self._record.add_stop(run_id, found=found)
        if run is None or run.task is None or not found:
            return False
        run.record.stops += 1
        run.set_status("stopping", last_event="run.stopping")
        if not run.stopping:
            run.stopping = True
            delay = run.order.script.stop_delay
            asyncio.get_running_loop().call_later(delay, run.task.cancel)
        return True

    def sweep(self, now: float) -> None:
        """Drop streams without a reader after STREAM_TTL, ended runs after STATUS_TTL."""
        for run in list(self._runs.values()):
            if now - run.stream.created > STREAM_TTL and not run.stream.readers:
                run.stream.drop()
            ended = run.status["status"] in TERMINAL and not run.active
            if ended and now - run.status["updated_at"] > STATUS_TTL:
                del self._runs[run.run_id]

    async def sweep_for_ever(self) -> None:
        """Call `sweep` every SWEEP_EVERY seconds until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            self.sweep(time.time())

    def _new_run(self, order: Order) -> Run:
        now = time.time()
        run_id = f"run_{uuid.uuid4().hex}"
        session_id = order.session_id or run_id
        writer = TurnWriter(self._sessions, session_id, order.model)
        record = RunRecord(
            run_id, session_id, order.body, now, writer.written, characters=order.size
        )
        status = {
            "object": "hermes.run",
            "run_id": run_id,
            "status": "queued",
            "updated_at": now,
            "created_at": now,
            "session_id": session_id,
            "model": order.model,
        }
        stream = EventStream(replay=self._replay)
        return Run(run_id, session_id, order, stream, record, writer, status)
