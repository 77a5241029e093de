"""Replaces a session's older turns by a summary, when they have outgrown the model (P22-P24).

A failed summary never fails the run: it goes on with all that there is (P24).
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from shared import runtime
from shared.conversation import compression_plan as planning
from shared.conversation import tokens
from shared.conversation.compression_plan import Plan, Row, Snapshot
from shared.conversation.summary_prompts import SUMMARY_PREFIX
from shared.db.sessions import compressions, summaries
from shared.db.sessions.compressions import Result
from shared.errors import OwnershipLost
from worker.compression.summarize import NoSummary, Order, Stopped, summarize
from worker.gateway.ephemeral_sessions import ephemeral_id
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)


def compress(
    services: Services, turn: Turn, plan: Plan, rows: Sequence[Row], replaces: int | None
) -> Snapshot | None:
    """The session's new snapshot, stored; None if there is none, and the old one stands.

    `rows` as given to `decide`; `replaces`: the version of the stored snapshot, if there is one.
    Raises LostRun, DatabaseAway.
    """
    turn.run_log.add("compression.started", planning.started_event(plan))
    work = _Compression(services, turn, plan)
    order = work.begin()
    try:
        snapshot = _snapshot(plan, rows, summarize(services, turn, order))
        work.succeed(order, snapshot, replaces)
    except NoSummary as failure:
        work.fail(order, Result.FAILED, str(failure))
        return None
    except Stopped:
        work.fail(order, Result.STOPPED, "The run was stopped.")
        return None
    except OwnershipLost:
        work.note(order, Result.LOST, "The run went to another worker.")
        raise
    return snapshot


def _snapshot(plan: Plan, rows: Sequence[Row], summary: str) -> Snapshot:
    """The snapshot, if it makes the session smaller. Raises NoSummary."""

    def work() -> Snapshot:
        if planning.after_tokens(plan, summary) >= plan.usage.total:
            raise NoSummary("The summary is not shorter than what it replaces.")
        return planning.next_snapshot(plan, summary, rows)

    return runtime.offload(work)


@dataclass
class _Compression:
    """One compression as it is written down and told."""

    services: Services
    turn: Turn
    plan: Plan
    began: float = field(default_factory=time.monotonic)

    def begin(self) -> Order:
        """Written down before anybody is asked."""
        claim = self.turn.claim
        prompt = runtime.offload(planning.summary_prompt, self.plan)
        name = ephemeral_id("compress", self.services.settings.installation)
        begun = self.services.db.write(lambda tx: compressions.begin(tx, claim, self.plan, name))
        return Order(
            claim.run_id, claim.profile, name, begun.id, begun.orphans, prompt, claim.model
        )

    def succeed(self, order: Order, snapshot: Snapshot, replaces: int | None) -> None:
        """Store it. Raises NoSummary if the stored snapshot is another one by now."""
        sent = runtime.offload(tokens.count, SUMMARY_PREFIX + snapshot.summary)
        covered = self.plan.covered + len(self.plan.head)

        def work(tx: Session) -> bool:
            stored = summaries.store(
                tx,
                self.turn.claim,
                snapshot,
                replaces=replaces,
                tokens=sent,
                covered=covered,
            )
            if stored:
                self._end(tx, order, Result.COMPRESSED, snapshot.summary, None)
            return stored

        if not self.services.db.write(work):
            raise NoSummary("The conversation was changed while it was summarized.")
        self._tell(Result.COMPRESSED, snapshot.summary, None)

    def fail(self, order: Order, result: Result, error: str) -> None:
        """The snapshot stays as it is."""
        self.note(order, result, error)
        self._tell(result, None, error)

    def note(self, order: Order, result: Result, error: str) -> None:
        """Write down that there is no summary."""
        self.services.db.write(lambda tx: self._end(tx, order, result, None, error))

    def _end(
        self, tx: Session, order: Order, result: Result, summary: str | None, error: str | None
    ) -> None:
        told = planning.completed_event(self.plan, summary)
        compressions.end(
            tx,
            order.compression_id,
            result,
            duration=time.monotonic() - self.began,
            after_tokens=told["afterTokens"],
            after_messages=told["resultMessages"],
            error=error,
        )

    def _tell(self, result: Result, summary: str | None, error: str | None) -> None:
        log.info(
            "compression.ended run_id=%s result=%s before=%s seconds=%.1f",
            self.turn.run_id,
            result,
            self.plan.usage.total,
            time.monotonic() - self.began,
        )
        event = planning.completed_event(self.plan, summary, error)
        self.turn.run_log.add("compression.completed", event)
