"""The messages of a session as a run sends them, and their token counts (P18, R23).

Problem: a session may hold far more than is sent, and a worker has two hundred runs.
Idea: only what follows the snapshot is read, and of each message only as much as is sent; the
database cuts it. Of a session whose messages are many as well, less of each is read.
Invariant: reading a history takes about HOLDS_MOST bytes, whatever the session holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import (
    Integer,
    String,
    Text,
    bindparam,
    case,
    cast,
    func,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from shared.conversation.compression_plan import LastCompression
from shared.conversation.history_size import REFUSED_MOST, TOO_LARGE, cut_marked
from shared.db.clock import read_clock
from shared.db.constants import constants
from shared.db.models import MessageRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned
from shared.db.sessions import compressions, summaries
from shared.db.sessions.summaries import Stored

Row = dict[str, Any]

PAGE = 250  # rows that come at once, so that other green threads run between on PostgreSQL
FEW_TURNS = 25  # are read in one go: a server-side cursor costs three round trips more
HOLDS_MOST = 32_000_000  # characters of one history
SHORTEST = 2_000  # characters that are read of each message, however many there are
BLOCKS_SHARE = 5  # images may be so many times longer than texts


@dataclass(frozen=True)
class SessionHistory:
    """A session as this turn finds it.

    `messages`: those of the turns before and after `stored`, in order. `prompt`: this turn's own.
    `stored`: the summary of older turns, `last`: the latest compression, if there is one. `stale`:
    the version of a summary that does not fit its turns any more. `now`: the database's clock in
    epoch seconds, 0 without `last`, which is all that it is compared with.
    """

    messages: list[Row]
    prompt: list[Row]
    stored: Stored | None
    last: LastCompression | None
    now: float
    stale: int | None = None


@dataclass(frozen=True)
class _Part:
    """What is read: turns after `after`, up to `most` characters of each message."""

    claim: Claim
    after: int
    most: int
    values: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        values = {
            "of_owner": self.claim.owner,
            "of_session": self.claim.session_id,
            "after": self.after,
            "turn": self.claim.turn_no,
            "most": self.most,
            "blocks_most": BLOCKS_SHARE * self.most,
        }
        object.__setattr__(self, "values", values)


def read_history(tx: Session, claim: Claim, most: int) -> SessionHistory | None:
    """The messages after the snapshot up to the claimed turn, with the columns below; None for a
    run without a session.

    Of each message at most `most` characters are read; it is marked if that is not all, and
    `is_cut`. `token_count` is None for a message that was never counted.
    """
    if claim.session_id is None:
        return None
    stored, last, stale = None, None, None
    if claim.is_compressed:
        stored = summaries.load(tx, claim.owner, claim.session_id)
        last = compressions.last(tx, claim.owner, claim.session_id)
    if stored is not None and not summaries.covers(tx, claim, stored):
        stale, stored = stored.version, None
    part = _Part(claim, stored.snapshot.turn_no if stored else -1, most)
    if claim.session_bytes > HOLDS_MOST:
        part = _narrowed(tx, part)
    rows = _rows(tx, part)
    return SessionHistory(
        messages=[row for row in rows if row["turn_no"] != claim.turn_no],
        prompt=[row for row in rows if row["turn_no"] == claim.turn_no],
        stored=stored,
        last=last,
        now=read_clock(tx) if last is not None else 0.0,
        stale=stale,
    )


def _narrowed(tx: Session, part: _Part) -> _Part:
    """Less of each message, if all of them together would be too much."""
    count, characters = tx.connection().execute(_EXTENT, part.values).one()
    if (characters or 0) <= HOLDS_MOST:
        return part
    return _Part(part.claim, part.after, max(SHORTEST, HOLDS_MOST // (2 * count)))


def _rows(tx: Session, part: _Part) -> list[Row]:
    is_long = (part.claim.turn_no or 0) - part.after > FEW_TURNS
    options: dict[str, Any] = {"yield_per": PAGE} if is_long else {}
    found = tx.connection().execute(_UP_TO_TURN, part.values, execution_options=options)
    return [_row(dict(zip(_NAMES, values, strict=True)), part.most) for values in found]


def _row(row: Row, most: int) -> Row:
    """The row with its content marked where it was cut."""
    length, has_blocks = row.pop("length") or 0, row.pop("blocks_length") is not None
    refused = row.pop("finish_reason") == TOO_LARGE
    keep = min(most, REFUSED_MOST) if refused else most
    blocks = row["content_blocks"]
    row["content_blocks"] = orjson.loads(blocks) if blocks is not None and not refused else None
    row["content"] = cut_marked(row["content"], keep, length)
    row["is_cut"] = length > keep or (has_blocks and row["content_blocks"] is None)
    return row


def mark_refused(tx: Session, claim: Claim) -> None:
    """Note that the gateway found the prompt of this turn too large: later turns send only its
    beginning. Raises OwnershipLost."""
    owned(tx, claim)
    tx.execute(
        update(MessageRow)
        .where(MessageRow.run_id == claim.run_id, MessageRow.idx == 0)
        .values(finish_reason=TOO_LARGE)
    )


def store_token_counts(tx: Session, claim: Claim, rows: Sequence[Row]) -> None:
    """Write `token_count` of each of these rows (by `id`). Raises OwnershipLost."""
    owned(tx, claim)
    tx.execute(
        update(MessageRow),
        [{"id": row["id"], "token_count": row["token_count"]} for row in rows],
    )


# Built once, since every run needs them.
_MOST = bindparam("most", type_=Integer)
_BLOCKS_LENGTH = func.length(func.nullif(cast(MessageRow.content_blocks, Text), "null"))
_COLUMNS: dict[str, Any] = {
    "id": MessageRow.id,
    "turn_no": MessageRow.turn_no,
    "role": MessageRow.role,
    "content": func.substr(MessageRow.content, 1, _MOST),
    "length": func.length(MessageRow.content),
    "content_blocks": case(
        (
            bindparam("blocks_most", type_=Integer) >= _BLOCKS_LENGTH,
            cast(MessageRow.content_blocks, Text),
        ),
        else_=null(),
    ),
    "blocks_length": _BLOCKS_LENGTH,
    "tool_call_id": MessageRow.tool_call_id,
    "tool_calls": MessageRow.tool_calls,
    "tool_name": MessageRow.tool_name,
    "reasoning_content": func.substr(MessageRow.reasoning_content, 1, _MOST),
    "token_count": MessageRow.token_count,
    "finish_reason": MessageRow.finish_reason,
}
_NAMES = tuple(_COLUMNS)
_PART = (
    MessageRow.owner == bindparam("of_owner", type_=String),
    MessageRow.session_id == bindparam("of_session", type_=String),
    MessageRow.role.in_(constants(summaries.ROLES)),
    MessageRow.turn_no > bindparam("after", type_=Integer),
    MessageRow.turn_no <= bindparam("turn", type_=Integer),
)
_UP_TO_TURN = (
    select(*(column.label(name) for name, column in _COLUMNS.items()))
    .where(*_PART)
    .order_by(MessageRow.turn_no, MessageRow.idx, MessageRow.id)
)
_SHOWN = case(
    (func.length(MessageRow.content) > _MOST, _MOST), else_=func.length(MessageRow.content)
)
_EXTENT = select(
    func.count(),
    func.sum(_SHOWN + func.coalesce(func.length(cast(MessageRow.tool_calls, Text)), 0)),
).where(*_PART)
