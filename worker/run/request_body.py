"""What the agent is told besides the input: the conversation before this turn (P18, P20).

It is read in one go, counted, and compressed if it has outgrown the model (P22-P24).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import String, bindparam, select, update
from sqlalchemy.orm import Session

from shared import runtime
from shared.conversation import compression_plan as planning
from shared.conversation.compression_plan import LastCompression, Plan, Usage
from shared.conversation.history import build, workspace_instructions
from shared.db.clock import read_clock
from shared.db.models import MessageRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned
from shared.db.sessions import compressions, summaries
from shared.db.sessions.summaries import Stored
from worker.compression.compress import compress
from worker.run.context_length import context_length
from worker.services import Services
from worker.turn import Turn

T = TypeVar("T")
Message = dict[str, Any]

OFFLOAD = 100_000  # characters; work on more would hold the hub for too long
PAGE = 250  # messages that come at once, so that others have a turn between on PostgreSQL
SHORT = 25  # turns that are read in one go: a cursor costs three round trips more

_COLUMNS = (
    "id",
    "turn_no",
    "role",
    "content",
    "content_blocks",
    "tool_call_id",
    "tool_calls",
    "tool_name",
    "reasoning_content",
    "token_count",
)


@dataclass(frozen=True)
class SessionHistory:
    """A session as this turn finds it. `messages` are those of the turns before, in order; `now`
    is the database's clock, if something is to be compared with it."""

    messages: list[Message]
    prompt: list[Message]
    stored: Stored | None
    last: LastCompression | None
    now: float

    @property
    def is_large(self) -> bool:
        """Whether work on it belongs off the hub."""
        return sum(len(row["content"]) for row in self.messages) > OFFLOAD


def request_body(services: Services, turn: Turn, ephemeral_id: str) -> dict[str, Any]:
    """The body of `POST /v1/runs`; usage and compression are told in the run's log on the way.

    When it takes long, look at `turn.stop_asked` afterwards. Raises LostRun, and DatabaseAway:
    without its history nothing is posted.
    """
    claim = turn.claim
    body: dict[str, Any] = {"input": gateway_input(claim.input), "session_id": ephemeral_id}
    past = services.read(lambda tx: _read(tx, claim))
    instructions = workspace_instructions(claim.workspace, claim.instructions)
    if claim.model:
        body["model"] = claim.model
    if instructions:
        body["instructions"] = instructions
    history = _history(services, turn, past) if past is not None else []
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


# -- the history --------------------------------------------------------------------------------


def _history(services: Services, turn: Turn, past: SessionHistory) -> list[Message]:
    _count_missing(services, turn.claim, [*past.messages, *past.prompt])
    plan = _plan(services, turn.claim, past)
    _tell_usage(turn, past, plan.usage)
    summary = _compressed(services, turn, past, plan) if plan.compresses else None
    wanted = services.gateways.history_format(turn.claim.profile)
    assert wanted != "auto"
    return _elsewhere(past, lambda: build(planning.assemble(plan, summary), wanted))


def _plan(services: Services, claim: Claim, past: SessionHistory) -> Plan:
    """What to send. A stored snapshot that does not fit its turns any more is removed."""
    snapshot = past.stored.snapshot if past.stored else None
    profile = services.gateways.profile(claim.profile)
    length = context_length(profile, claim.model or claim.session_model)
    plan = _elsewhere(
        past,
        lambda: planning.decide(
            past.messages, snapshot, context_length=length, last=past.last, now=past.now
        ),
    )
    if past.stored is not None and plan.snapshot is None:
        version = past.stored.version
        services.db.write(lambda tx: summaries.drop(tx, claim, version))
    return plan


def _compressed(services: Services, turn: Turn, past: SessionHistory, plan: Plan) -> str | None:
    """The new summary, if there is one."""
    replaces = past.stored.version if past.stored and plan.snapshot else None
    snapshot = compress(services, turn, plan, past.messages, replaces)
    if snapshot is None:
        return None
    _tell_usage(turn, past, planning.count_usage(plan.tail, snapshot))
    return snapshot.summary


def _tell_usage(turn: Turn, past: SessionHistory, usage: Usage) -> None:
    """As `resumed` and the end count: with the prompt, whose turn has come (P6, P22)."""
    prompt = sum(map(planning.message_tokens, past.prompt))
    counts = {
        "inputTokens": usage.input_tokens + prompt,
        "outputTokens": usage.output_tokens,
    }
    turn.run_log.add("usage.updated", counts)


def _elsewhere(past: SessionHistory, work: Callable[[], T]) -> T:
    return runtime.offload(work) if past.is_large else work()


# -- counting -----------------------------------------------------------------------------------


def _count_missing(services: Services, claim: Claim, rows: Sequence[Message]) -> None:
    """Count what was stored without a count, such as imported messages, once and for all."""
    missing = [row for row in rows if row["token_count"] is None]
    if not missing:
        return
    counts = runtime.offload(lambda: [planning.message_tokens(row) for row in missing])
    for row, count in zip(missing, counts, strict=True):
        row["token_count"] = count
    services.db.write(lambda tx: _store_counts(tx, claim, missing))


def _store_counts(tx: Session, claim: Claim, rows: Sequence[Message]) -> None:
    owned(tx, claim)
    tx.execute(
        update(MessageRow),
        [{"id": row["id"], "token_count": row["token_count"]} for row in rows],
    )


# -- reading ------------------------------------------------------------------------------------


def _read(tx: Session, claim: Claim) -> SessionHistory | None:
    """None for a run without a session."""
    if claim.session_id is None:
        return None
    here = {"of_owner": claim.owner, "of_session": claim.session_id}
    rows = tx.connection().execute(
        _UP_TO_TURN,
        {**here, "turn": claim.turn_no},
        execution_options={"yield_per": PAGE} if (claim.turn_no or 0) > SHORT else {},
    )
    all_messages = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    messages = [row for row in all_messages if row["turn_no"] != claim.turn_no]
    stored, last = None, None
    if claim.is_compressed:
        stored = summaries.load(tx, claim.owner, claim.session_id)
        last = compressions.last(tx, claim.owner, claim.session_id)
    return SessionHistory(
        messages=messages,
        prompt=[row for row in all_messages if row["turn_no"] == claim.turn_no],
        stored=stored,
        last=last,
        now=read_clock(tx) if last is not None else 0.0,
    )


# Built once, since every run needs them.
_HERE = (bindparam("of_owner", type_=String), bindparam("of_session", type_=String))
_UP_TO_TURN = (
    select(*(getattr(MessageRow, name) for name in _COLUMNS))
    .where(
        MessageRow.owner == _HERE[0],
        MessageRow.session_id == _HERE[1],
        MessageRow.role.in_(summaries.ROLES),
        MessageRow.turn_no <= bindparam("turn"),
    )
    .order_by(MessageRow.turn_no, MessageRow.idx, MessageRow.id)
)
