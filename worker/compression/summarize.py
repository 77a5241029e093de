"""Asks the gateway for a summary: the only place that does (P23).

The request is made in a thread of its own, so that a person's stop does not wait for a gateway
that hangs. That thread also cleans up: whatever happens, the gateway's run is over or being
stopped, and its session is queued for deletion.
"""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from shared.conversation.content import parse_stringified
from shared.db.database import Work
from shared.db.gateway_sessions import delete_soon
from shared.db.runs.gateway_orphans import STOP, track_orphan
from shared.db.sessions.compressions import posted
from shared.errors import GatewayError, PostUncertain, Unavailable
from worker.gateway.models import RunStatus
from worker.gateway.stop_at_gateway import stop_and_wait, try_stop
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

SUMMARY_TIMEOUT = 120.0  # seconds
POLL_FIRST, POLL_MOST = 0.2, 1.0  # seconds between questions for the status
STOP_WAIT = 30.0  # seconds for a stopped summary to end before a job looks after it


class NoSummary(Exception):
    """There is no summary; the message says why and is shown to people."""


class Stopped(Exception):
    """A person stopped the run meanwhile."""


@dataclass(frozen=True)
class SummaryRequest:
    """What to ask for, and for which run. `orphans`: gateway runs of earlier summaries whose
    workers are gone; they are stopped first."""

    run_id: str
    profile: str
    ephemeral_id: str
    compression_id: int
    orphans: list[str]
    prompt: str
    model: str | None

    @property
    def body(self) -> dict[str, Any]:
        """The body of `POST /v1/runs`."""
        body = {"input": self.prompt, "session_id": self.ephemeral_id}
        return body | {"model": self.model} if self.model else body


def summarize(services: Services, turn: Turn, request: SummaryRequest) -> str:
    """The summary, within 120 seconds. Raises NoSummary, Stopped, OwnershipLost."""
    run = _SummaryRun(services, turn, request)
    run.start()
    try:
        return _wait(turn, run)
    finally:
        run.give_up()


def _wait(turn: Turn, run: "_SummaryRun") -> str:
    deadline = time.monotonic() + SUMMARY_TIMEOUT
    while not run.done.is_set():
        turn.check()
        if turn.stop_requested:
            raise Stopped
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise NoSummary(f"The summary did not come within {SUMMARY_TIMEOUT:g} seconds.")
        turn.pause(min(remaining, 1.0))
    if run.summary is None:
        raise NoSummary(run.error)
    return run.summary


class _SummaryRun:
    """One request, in a thread. After `done`, either `summary` is there or `error` says why not."""

    def __init__(self, services: Services, turn: Turn, request: SummaryRequest) -> None:
        self.done = threading.Event()
        self.summary: str | None = None
        self.error = ""
        self._services = services
        self._gateway = turn.gateway
        self._request = request
        self._changed = turn.signals.changed
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="summary", daemon=True)

    def start(self) -> None:
        """Send the request."""
        self._thread.start()

    def give_up(self) -> None:
        """Have the gateway's run stopped, unless it is done."""
        self._given_up.set()

    def _run(self) -> None:
        try:
            self.summary = self._ask()
        except (GatewayError, NoSummary) as error:
            self.error = str(error)
        except Exception:  # the edge of the thread: the run must not wait for nothing
            log.exception("summary.broken run_id=%s", self._request.run_id)
            self.error = "Something went wrong on the server."
        finally:
            self.done.set()
            self._changed.set()

    def _ask(self) -> str:
        self._stop_orphans()
        try:
            gateway_run_id = self._gateway.post_run(self._request.ephemeral_id, self._request.body)
        except PostUncertain:
            raise  # it may be working on it: its session is deleted when the day is over
        except GatewayError:
            self._hasten()
            raise
        self._note_posted(gateway_run_id)
        status = self._end_of(gateway_run_id)
        if status is None:
            self._stop(gateway_run_id)
            raise NoSummary("The summary was given up.")
        self._hasten()
        return _summary(status)

    def _stop_orphans(self) -> None:
        for gateway_run_id in self._request.orphans:
            try_stop(self._gateway, gateway_run_id, self._request.run_id)

    def _end_of(self, gateway_run_id: str) -> RunStatus | None:
        """The terminal status; None after `give_up`. Raises NoSummary."""
        pause = POLL_FIRST
        while not self._given_up.wait(pause):
            pause = min(pause * 1.5, POLL_MOST)
            try:
                status = self._gateway.status(gateway_run_id)
            except GatewayError as error:
                log.info("summary.poll_failed error=%s", error)
                continue
            if status is None:
                self._hasten()
                raise NoSummary("The gateway does not know the summary any more.")
            if status.terminal:
                return status
        return None

    def _stop(self, gateway_run_id: str) -> None:
        """Have it stopped; its session may go when it has ended. If it does not end, the job for
        orphaned runs goes on stopping it."""
        if stop_and_wait(self._gateway, gateway_run_id, self._request.run_id, STOP_WAIT):
            self._hasten()
        else:
            self._track_orphan(gateway_run_id)

    # -- what is written down; with the database away, the session is deleted a day later ---------

    def _note_posted(self, gateway_run_id: str) -> None:
        compression_id = self._request.compression_id
        self._write(lambda tx: posted(tx, compression_id, gateway_run_id))

    def _hasten(self) -> None:
        request = self._request
        self._write(lambda tx: delete_soon(tx, request.profile, [request.ephemeral_id]))

    def _track_orphan(self, gateway_run_id: str) -> None:
        request = self._request
        self._write(
            lambda tx: track_orphan(
                tx,
                run_id=request.run_id,
                profile=request.profile,
                kind=STOP,
                ephemeral_id=request.ephemeral_id,
                gateway_run_id=gateway_run_id,
            )
        )

    def _write(self, work: Work[None]) -> None:
        try:
            self._services.db.write(work)
        except Unavailable as error:
            log.warning("summary.not_noted error=%s", type(error).__name__)


def _summary(status: RunStatus) -> str:
    """What the model wrote. Raises NoSummary."""
    if status.status != "completed":
        raise NoSummary(f"The gateway ended the summary ({status.status}): {status.error or '-'}")
    parsed = parse_stringified(status.output)
    summary = (parsed.content if parsed else status.output or "").strip()
    if not summary:
        raise NoSummary("The summary was empty.")
    return summary
