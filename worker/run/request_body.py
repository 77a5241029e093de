"""The body of `POST /v1/runs`: the input, and the conversation before this turn (P18, P20).

The conversation is read at one moment, counted, and compressed if it has outgrown the model
(P22-P24). Work on a large one is done outside the hub.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared import runtime
from shared.conversation import compression_plan as planning
from shared.conversation import tokens
from shared.conversation.compression_plan import Plan, Usage
from shared.conversation.history import Format, build, given_row, workspace_instructions
from shared.conversation.history_size import (
    counts_otherwise,
    fit,
    json_bytes,
    message_limit,
    sent_text,
)
from shared.db.runs.claim import Claim
from shared.db.sessions import summaries
from shared.db.sessions.history_rows import SessionHistory, read_history, store_token_counts
from worker.compression.compress import compress
from worker.compression.context_length import context_length
from worker.services import Services
from worker.turn import Turn

T = TypeVar("T")
Message = dict[str, Any]

REQUEST_MOST = 9_900_000  # bytes: gateways take 10 MB
OFFLOAD = 100_000  # characters; work on more would hold the hub for too long


def request_body(services: Services, turn: Turn, ephemeral_id: str) -> dict[str, Any]:
    """The body; adds `usage.updated`, and the events of a compression, to the run's log.

    A compression may take minutes: look at `turn.stop_requested` afterwards. Raises OwnershipLost,
    and DatabaseUnavailable: without its history nothing is posted.
    """
    claim = turn.claim
    body: dict[str, Any] = {"input": gateway_input(claim.input), "session_id": ephemeral_id}
    instructions = workspace_instructions(claim.workspace, claim.instructions)
    if claim.model:
        body["model"] = claim.model
    if instructions:
        body["instructions"] = instructions
    most = services.settings.history_max_bytes
    most = min(most, max(REQUEST_MOST - json_bytes(body), most // 4))
    history = _history(services, turn, most)
    if history:
        body["conversation_history"] = history
    return body


def gateway_input(value: Any) -> Any:
    """Text as it is; content blocks as the one message that gateways look at (P15)."""
    if isinstance(value, list) and not all(_is_message(item) for item in value):
        return [{"role": "user", "content": value}]
    return value


def _is_message(item: object) -> bool:
    return isinstance(item, Mapping) and "role" in item


def _history(services: Services, turn: Turn, most: int) -> list[Message]:
    """`conversation_history` in the format of the gateway's profile, of at most so many bytes: the
    one that the request brought, else that of the session."""
    if turn.claim.history is not None:
        rows = [given_row(message) for message in turn.claim.history]
        return build(fit(rows, most), services.gateways.history_format(turn.claim.profile))
    return _history_of_session(services, turn, most) if turn.claim.session_id is not None else []


def _history_of_session(services: Services, turn: Turn, most: int) -> list[Message]:
    claim = turn.claim
    if claim.lone_tokens is not None:  # the first turn: there is nothing to read
        _announce_usage(turn, Usage(0, 0), claim.lone_tokens)
        return []
    profile = services.gateways.profile(claim.profile)
    length = context_length(profile, claim.model or claim.session_model)
    limit = message_limit(length, services.settings.history_max_bytes)
    session = services.patient_db.read(lambda tx: read_history(tx, claim, limit))
    assert session is not None
    wanted = services.gateways.history_format(claim.profile)
    _count_anew(services, claim, session, wanted)
    plan = _plan(services, claim, session, length)
    _announce_usage(turn, plan.usage, _prompt_tokens(session))
    summary = _new_summary(services, turn, session, plan) if plan.compresses else None

    def work() -> list[Message]:
        rows = planning.assemble(plan, summary)
        has_summary = summary is not None or plan.snapshot is not None
        return build(fit(rows, most, fixed=int(has_summary)), wanted)

    return _offloaded(session, work)


def _count_anew(services: Services, claim: Claim, session: SessionHistory, wanted: Format) -> None:
    """Count messages that were stored without a count, such as imported ones, and those of which
    less is sent than is stored. The counts are stored, so that the end of the run counts alike."""
    rows = [row for row in session.messages if counts_otherwise(row, wanted)]
    rows += [r for r in [*session.messages, *session.prompt] if r["token_count"] is None]
    if not rows:
        return
    counts = runtime.offload(lambda: [tokens.count(sent_text(row, wanted)) for row in rows])
    changed = [r for r, count in zip(rows, counts, strict=True) if r["token_count"] != count]
    for row, count in zip(rows, counts, strict=True):
        row["token_count"] = count
    if changed:
        services.db.write(lambda tx: store_token_counts(tx, claim, changed))


def _plan(services: Services, claim: Claim, session: SessionHistory, length: int) -> Plan:
    """What to send. A stored summary that does not fit its turns any more is removed."""
    if session.stale is not None:
        stale = session.stale
        services.db.write(lambda tx: summaries.drop(tx, claim, stale))
    stored = session.stored
    return _offloaded(
        session,
        lambda: planning.decide(
            session.messages,
            stored.snapshot if stored else None,
            covered=stored.covered if stored else 0,
            context_length=length,
            last=session.last,
            now=session.now,
        ),
    )


def _new_summary(services: Services, turn: Turn, session: SessionHistory, plan: Plan) -> str | None:
    """The summary that a compression made; None if it failed."""
    replaces = session.stored.version if session.stored and plan.snapshot else None
    snapshot = compress(services, turn, plan, replaces)
    if snapshot is None:
        return None
    _announce_usage(turn, planning.count_usage(plan.tail, snapshot), _prompt_tokens(session))
    return snapshot.summary


def _prompt_tokens(session: SessionHistory) -> int:
    return sum(map(planning.message_tokens, session.prompt))


def _announce_usage(turn: Turn, usage: Usage, prompt: int) -> None:
    """Count as `resumed` and the end do: with the tokens of the prompt, whose turn has come (P6,
    P22)."""
    counts = {
        "inputTokens": usage.input_tokens + prompt,
        "outputTokens": usage.output_tokens,
    }
    turn.run_log.add("usage.updated", counts)


def _offloaded(session: SessionHistory, work: Callable[[], T]) -> T:
    """The result of `work`, which is done in an OS thread if the session is large."""
    size = sum(len(row["content"]) for row in session.messages)
    return runtime.offload(work) if size > OFFLOAD else work()
