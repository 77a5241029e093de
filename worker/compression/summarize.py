"""Asks the gateway for a summary: the only place that does (P23).

The request is made in a thread of its own, so that a person's stop does not wait for a gateway
that hangs. That thread also tidies up: whatever happens, the gateway's run is over or being
stopped, and its session is queued for deletion.
"""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from shared.conversation.content import parse_stringified
from shared.db.gateway_sessions import hasten
from shared.db.runs.orphans import STOP, track_orphan
from shared.db.sessions.compressions import posted
from shared.errors import GatewayError, PostUncertain, Unavailable
from worker.gateway.client import GatewayClient
from worker.gateway.models import RunStatus
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

SUMMARY_TIMEOUT = 120.0  # seconds
POLL_FIRST, POLL_MOST = 0.2, 1.0  # seconds between questions for the status
STOP_WAIT = 30.0  # seconds for a stopped summary to end before a job looks after it


class NoSummary(Exception):
    """The gateway gave no summary; the message says why and is shown to people."""


class Stopped(Exception):
    """A person stopped the run meanwhile."""


@dataclass(frozen=True)
class Order:
    """What to ask for, and on whose behalf. `orphans`: gateway runs to stop before."""

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


def summarize(services: Services, turn: Turn, order: Order) -> str:
    """The summary, within 120 seconds. Raises NoSummary, Stopped, LostRun."""
    asking = _Asking(services, turn.gateway, order, turn)
    asking.start()
    try:
        return _wait(turn, asking)
    finally:
        asking.give_up()


def _wait(turn: Turn, asking: "_Asking") -> str:
    deadline = time.monotonic() + SUMMARY_TIMEOUT
    while not asking.done.is_set():
        turn.check()
        if turn.stop_asked.is_set():
            raise Stopped
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoSummary(f"The summary did not come within {SUMMARY_TIMEOUT:g} seconds.")
        turn.changed.wait(min(left, 1.0))
        turn.changed.clear()
    if asking.summary is None:
        raise NoSummary(asking.error)
    return asking.summary


class _Asking:
    """One request. After `done`, either `summary` is there or `error` says why not."""

    def __init__(
        self, services: Services, gateway: GatewayClient, order: Order, turn: Turn
    ) -> None:
        self.done = threading.Event()
        self.summary: str | None = None
        self.error = ""
        self._services = services
        self._gateway = gateway
        self._order = order
        self._wake = turn.changed
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="summary", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def give_up(self) -> None:
        """Nobody waits any more; does nothing when it is done."""
        self._given_up.set()

    def _run(self) -> None:
        try:
            self.summary = self._ask()
        except (GatewayError, NoSummary) as error:
            self.error = str(error)
        except Exception:  # the edge of the thread: the run must not wait for nothing
            log.exception("summary.broken run_id=%s", self._order.run_id)
            self.error = "Something went wrong on the server."
        finally:
            self.done.set()
            self._wake.set()

    def _ask(self) -> str:
        self._stop_orphans()
        try:
            gateway_run_id = self._gateway.start(self._order.ephemeral_id, self._order.body)
        except PostUncertain:
            raise  # it may be at work: its session stays for the day that was set
        except GatewayError:
            self._hasten()
            raise
        self._note(gateway_run_id)
        status = self._end_of(gateway_run_id)
        if status is None:
            self._stop(gateway_run_id)
            raise NoSummary("The summary was given up.")
        self._hasten()
        return _summary(status)

    def _stop_orphans(self) -> None:
        for gateway_run_id in self._order.orphans:
            try:
                self._gateway.stop(gateway_run_id)
            except GatewayError as error:
                log.info("summary.orphan_not_stopped error=%s", error)

    def _end_of(self, gateway_run_id: str) -> RunStatus | None:
        """The terminal status; None if nobody waits any more. Raises NoSummary."""
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
        """Have it stopped; its session may go when it has ended. A job insists if it does not."""
        deadline = time.monotonic() + STOP_WAIT
        try:
            known = self._gateway.stop(gateway_run_id)
            while known and time.monotonic() < deadline:
                status = self._gateway.status(gateway_run_id)
                known = status is not None and not status.terminal
                time.sleep(POLL_FIRST)
        except GatewayError as error:
            log.info("summary.not_stopped error=%s", error)
            known = True
        if known:
            self._track_orphan(gateway_run_id)
        else:
            self._hasten()

    # -- what is written down; the database may be away, and the day that was set holds then -------

    def _note(self, gateway_run_id: str) -> None:
        compression_id = self._order.compression_id
        self._write(lambda tx: posted(tx, compression_id, gateway_run_id))

    def _hasten(self) -> None:
        order = self._order
        self._write(lambda tx: hasten(tx, order.profile, [order.ephemeral_id]))

    def _track_orphan(self, gateway_run_id: str) -> None:
        order = self._order
        self._write(
            lambda tx: track_orphan(
                tx,
                run_id=order.run_id,
                profile=order.profile,
                kind=STOP,
                ephemeral_id=order.ephemeral_id,
                gateway_run_id=gateway_run_id,
            )
        )

    def _write(self, work: Any) -> None:
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
