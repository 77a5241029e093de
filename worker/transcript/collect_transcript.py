"""Collects the messages that a run leaves in the conversation, from its log and its gateway (R6).

The gateway's transcript is the only place where tool results are.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared import runtime
from shared.conversation import tokens
from shared.conversation.history import Format
from shared.conversation.history_size import sent_text
from shared.errors import GatewayError
from shared.protocol.events import RUN_COMPLETED
from shared.protocol.run_states import RunState
from shared.protocol.transcript import Message
from worker.gateway.models import GatewayTranscript
from worker.gateway.transcripts import read_transcript
from worker.outcome import Outcome
from worker.services import Services
from worker.transcript.reconcile import ReconciledTurn, reconcile
from worker.turn import Turn

log = logging.getLogger(__name__)

WAIT = 1.0  # seconds for the gateway's transcript to be complete (P25)
PAUSE = 0.2
OFFLOAD = 50_000  # characters; counting more than that would hold the hub for too long


@dataclass(frozen=True)
class CollectedTurn:
    """What a turn leaves. `messages`: with their tokens counted. `shown`: the messages as they were
    streamed. `usage`: as the gateway's session has it, if it does. `continuations`: sessions under
    which the gateway went on, which are to be deleted, too (P25)."""

    messages: ReconciledTurn
    shown: Sequence[Message]
    usage: dict[str, Any] | None = None
    continuations: tuple[str, ...] = ()


def collect_transcript(services: Services, turn: Turn, outcome: Outcome) -> CollectedTurn:
    """The turn's messages as they are to be stored; waits up to a second for the gateway's."""
    shown = _shown(turn, outcome)
    stored = _wait_for_transcript(services, turn, outcome)
    stopped = outcome.state is not RunState.COMPLETED
    messages = reconcile(shown, stored, turn.ephemeral_id, outcome.finish_reason, stopped=stopped)
    if stored is not None and not _is_complete(stored, outcome):
        messages = replace(messages, synced=False, diverged=False)  # a later look gets the rest
    count_rows(messages, services.gateways.known_format(turn.claim.profile))
    if stored is None:
        return CollectedTurn(messages, shown)
    others = tuple(name for name in stored.session_ids if name != turn.ephemeral_id)
    return CollectedTurn(messages, shown, usage_of(stored), others)


def collect_streamed(services: Services, turn: Turn, outcome: Outcome) -> CollectedTurn:
    """The same from the log alone, without asking the gateway."""
    shown = _shown(turn, outcome)
    messages = reconcile(shown, None, turn.ephemeral_id, outcome.finish_reason)
    count_rows(messages, services.gateways.known_format(turn.claim.profile))
    return CollectedTurn(messages, shown)


def _shown(turn: Turn, outcome: Outcome) -> Sequence[Message]:
    """The messages of everything that was added to the log, ended by the outcome."""
    added = turn.run_log.everything_added()
    added.apply(
        {"event": RUN_COMPLETED, "finish_reason": outcome.finish_reason, "output": outcome.output}
    )
    return added.messages()


def usage_of(stored: GatewayTranscript) -> dict[str, Any] | None:
    """The session's token counts; None if the gateway has not counted any."""
    usage = stored.usage or {}
    return {**usage} if usage.get("input_tokens") or usage.get("output_tokens") else None


def count_rows(messages: ReconciledTurn, wanted: Format) -> None:
    """Set `token_count` of each row, of what later turns send of it in this format; long ones are
    counted outside the hub."""
    for row in messages.rows:
        text = sent_text(row, wanted)
        is_long = len(text) > OFFLOAD
        row["token_count"] = runtime.offload(tokens.count, text) if is_long else tokens.count(text)


def _wait_for_transcript(
    services: Services, turn: Turn, outcome: Outcome
) -> GatewayTranscript | None:
    """The gateway's own messages; it may write the last one a moment after its end."""
    if turn.gateway_run_id is None or turn.ephemeral_id is None:
        return None
    profile = services.gateways.profile(turn.claim.profile)
    deadline = time.monotonic() + WAIT
    found: GatewayTranscript | None = None
    while True:
        try:
            found = read_transcript(turn.gateway, profile, turn.ephemeral_id)
        except GatewayError as error:
            log.info("transcript.unread run_id=%s error=%s", turn.run_id, error)
            return found
        is_complete = found is not None and _is_complete(found, outcome)
        if is_complete or time.monotonic() > deadline:
            return found
        time.sleep(PAUSE)


def _is_complete(transcript: GatewayTranscript, outcome: Outcome) -> bool:
    """Whether the transcript ends with the answer that the outcome has."""
    if outcome.state is not RunState.COMPLETED or not outcome.output:
        return True
    answers = [m for m in transcript.messages if m.get("role") == "assistant"]
    return bool(answers) and not answers[-1].get("tool_calls")
