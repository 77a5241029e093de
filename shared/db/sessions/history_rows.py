"""The messages of a session as a run sends them, and their token counts (P18, R23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, bindparam, select, update
from sqlalchemy.orm import Session

from shared.conversation.compression_plan import LastCompression
from shared.db.clock import read_clock
from shared.db.models import MessageRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned
from shared.db.sessions import compressions, summaries
from shared.db.sessions.summaries import Stored

Row = dict[str, Any]

PAGE = 250  # rows that come at once, so that other green threads run between on PostgreSQL
FEW_TURNS = 25  # are read in one go: a server-side cursor costs three round trips more

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
    """A session as this turn finds it.

    `messages`: those of the turns before, in order. `prompt`: this turn's own. `stored`: the
    summary of older turns, `last`: the latest compression, if there is one. `now`: the database's
    clock in epoch seconds, 0 without `last`, which is all that it is compared with.
    """

    messages: list[Row]
    prompt: list[Row]
    stored: Stored | None
    last: LastCompression | None
    now: float


def read_history(tx: Session, claim: Claim) -> SessionHistory | None:
    """All messages up to the claimed turn, with the columns above; None for a run without a
    session. `token_count` is None for a message that was never counted."""
    if claim.session_id is None:
        return None
    here = {"of_owner": claim.owner, "of_session": claim.session_id}
    rows = tx.connection().execute(
        _UP_TO_TURN,
        {**here, "turn": claim.turn_no},
        execution_options={"yield_per": PAGE} if (claim.turn_no or 0) > FEW_TURNS else {},
    )
    all_messages = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    stored, last = None, None
    if claim.is_compressed:
        stored = summaries.load(tx, claim.owner, claim.session_id)
        last = compressions.last(tx, claim.owner, claim.session_id)
    return SessionHistory(
        messages=[row for row in all_messages if row["turn_no"] != claim.turn_no],
        prompt=[row for row in all_messages if row["turn_no"] == claim.turn_no],
        stored=stored,
        last=last,
        now=read_clock(tx) if last is not None else 0.0,
    )


def store_token_counts(tx: Session, claim: Claim, rows: Sequence[Row]) -> None:
    """Write `token_count` of each of these rows (by `id`). Raises OwnershipLost."""
    owned(tx, claim)
    tx.execute(
        update(MessageRow),
        [{"id": row["id"], "token_count": row["token_count"]} for row in rows],
    )


# Built once, since every run needs it.
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
