"""Replaces a session's older turns by a summary, when they have outgrown the model (P22-P24).

Problem: a conversation grows without limit, a model's input does not; and a summary costs a run of
its own at the gateway, which may fail, hang, or be stopped by a person. Idea: the plan
(`shared.conversation.compression_plan`) says which turns to summarize; the compression is written
down, the gateway is asked, and the new summary is stored together with the compression's end, if
the stored one is still the one that was read.
Invariant: a failed summary never fails the run, which goes on with all messages (P24); a stored
summary is only replaced by a worker that saw it; each compression that was announced has an end.
"""

import logging
import time
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from shared import runtime
from shared.conversation import compression_plan as planning
from shared.conversation import tokens
from shared.conversation.compression_plan import Plan, Snapshot
from shared.conversation.summary_prompts import SUMMARY_PREFIX
from shared.db.sessions import compressions, summaries
from shared.db.sessions.compressions import Result
from shared.errors import OwnershipLost
from shared.metrics import worker as metrics
from worker.compression.summarize import NoSummary, Stopped, SummaryRequest, summarize
from worker.gateway.ephemeral_sessions import ephemeral_id
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)


def compress(services: Services, turn: Turn, plan: Plan, replaces: int | None) -> Snapshot | None:
    """The session's new snapshot, stored. None if there is no summary; the old snapshot stays.

    `replaces`: the version of the stored snapshot, None without one.
    Raises OwnershipLost, DatabaseUnavailable.
    """
    turn.run_log.add("compression.started", planning.started_event(plan))
    compression = _Compression(services, turn, plan)
    request = compression.begin()
    try:
        snapshot = _snapshot(plan, summarize(services, turn, request))
        compression.succeed(request, snapshot, replaces)
    except NoSummary as failure:
        compression.fail(request, Result.FAILED, str(failure))
        return None
    except Stopped:
        compression.fail(request, Result.STOPPED, "The run was stopped.")
        return None
    except OwnershipLost:
        compression.write_failure(request, Result.LOST, "The run went to another worker.")
        raise
    return snapshot


def _snapshot(plan: Plan, summary: str) -> Snapshot:
    """The snapshot, if it makes the session smaller. Raises NoSummary."""

    def work() -> Snapshot:
        if planning.after_tokens(plan, summary) >= plan.usage.total:
            raise NoSummary("The summary is not shorter than what it replaces.")
        return planning.next_snapshot(plan, summary)

    return runtime.offload(work)


@dataclass
class _Compression:
    """One compression, as it is written down and announced."""

    services: Services
    turn: Turn
    plan: Plan
    began: float = field(default_factory=time.monotonic)

    def begin(self) -> SummaryRequest:
        """Write it down, before the gateway is asked."""
        claim = self.turn.claim
        prompt = runtime.offload(planning.summary_prompt, self.plan)
        name = ephemeral_id("compress", self.services.settings.installation)
        begun = self.services.db.write(lambda tx: compressions.begin(tx, claim, self.plan, name))
        return SummaryRequest(
            claim.run_id, claim.profile, name, begun.id, begun.orphans, prompt, claim.model
        )

    def succeed(self, request: SummaryRequest, snapshot: Snapshot, replaces: int | None) -> None:
        """Store the snapshot. Raises NoSummary if the stored one is not `replaces` any more, or the
        turns that were summarized are not the same."""
        summary_tokens = runtime.offload(tokens.count, SUMMARY_PREFIX + snapshot.summary)
        covered = self.plan.covered + len(self.plan.head)

        def work(tx: Session) -> bool:
            stored = summaries.store(
                tx,
                self.turn.claim,
                snapshot,
                replaces=replaces,
                tokens=summary_tokens,
                covered=covered,
                turns=self.plan.head,
            )
            if stored:
                self._write_end(tx, request, Result.COMPRESSED, snapshot.summary, None)
            return stored

        if not self.services.db.write(work):
            raise NoSummary("The conversation was changed while it was summarized.")
        self._announce(Result.COMPRESSED, snapshot.summary, None)

    def fail(self, request: SummaryRequest, result: Result, error: str) -> None:
        """Write down and announce that there is no summary; the stored snapshot stays."""
        self.write_failure(request, result, error)
        self._announce(result, None, error)

    def write_failure(self, request: SummaryRequest, result: Result, error: str) -> None:
        """Write down that there is no summary."""
        self.services.db.write(lambda tx: self._write_end(tx, request, result, None, error))

    def _write_end(
        self,
        tx: Session,
        request: SummaryRequest,
        result: Result,
        summary: str | None,
        error: str | None,
    ) -> None:
        event = planning.completed_event(self.plan, summary)
        metrics.COMPRESSIONS.labels(str(result)).inc()
        compressions.end(
            tx,
            request.compression_id,
            result,
            duration=time.monotonic() - self.began,
            after_tokens=event["afterTokens"],
            after_messages=event["resultMessages"],
            error=error,
        )

    def _announce(self, result: Result, summary: str | None, error: str | None) -> None:
        log.info(
            "compression.ended run_id=%s result=%s before=%s seconds=%.1f",
            self.turn.run_id,
            result,
            self.plan.usage.total,
            time.monotonic() - self.began,
        )
        event = planning.completed_event(self.plan, summary, error)
        self.turn.run_log.add("compression.completed", event)
