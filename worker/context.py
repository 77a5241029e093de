"""What the agent is told besides the input: the conversation before this turn (P18, P20)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.claims import Claim
from shared.db.models import MessageRow, SessionRow
from shared.history import build, workspace_instructions
from worker.parts import Parts

_COLUMNS = (
    "role",
    "content",
    "content_blocks",
    "tool_call_id",
    "tool_calls",
    "tool_name",
    "reasoning_content",
)


@dataclass(frozen=True)
class Context:
    """The messages of the turns before this one, in order, and the session's workspace."""

    messages: list[dict[str, Any]]
    workspace: str | None


def request_body(parts: Parts, claim: Claim, ephemeral_id: str) -> dict[str, Any]:
    """The body of `POST /v1/runs`. Raises DatabaseAway: without its history nothing is posted."""
    context = parts.db.read(lambda session: _read(session, claim))
    body: dict[str, Any] = {"input": gateway_input(claim.input), "session_id": ephemeral_id}
    instructions = workspace_instructions(context.workspace, claim.instructions)
    if claim.model:
        body["model"] = claim.model
    if instructions:
        body["instructions"] = instructions
    wanted = parts.gateways.history_format(claim.profile)
    assert wanted != "auto"
    history = build(context.messages, wanted)
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


def _read(session: Session, claim: Claim) -> Context:
    if claim.session_id is None:
        return Context([], None)
    conversation = session.get(SessionRow, (claim.owner, claim.session_id))
    rows = session.execute(
        select(*(getattr(MessageRow, name) for name in _COLUMNS))
        .where(
            MessageRow.owner == claim.owner,
            MessageRow.session_id == claim.session_id,
            MessageRow.turn_no < claim.turn_no,
        )
        .order_by(MessageRow.turn_no, MessageRow.idx, MessageRow.id)
    )
    messages = [dict(row) for row in rows.mappings()]
    return Context(messages, conversation.workspace if conversation else None)
