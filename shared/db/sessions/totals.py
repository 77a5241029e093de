"""The sums in the row of a session: its messages, its tokens, the usage of its runs (P22)."""

from typing import Any

from sqlalchemy import String, bindparam, func, select, update
from sqlalchemy.orm import Session

from shared.db.constants import constant
from shared.db.models import MessageRow, SessionRow
from shared.db.sessions.summaries import context_sums
from shared.db.usage_report import session_totals


def _summing_up() -> Any:
    """Built once: building it takes longer than executing it."""
    owner, session_id = bindparam("of_owner", type_=String), bindparam("of_session", type_=String)
    here = (MessageRow.owner == owner, MessageRow.session_id == session_id)
    in_turn = MessageRow.turn_no.is_not(None)
    tokens = context_sums(owner, session_id)
    shown = func.nullif(bindparam("preview_or_none", type_=String), "")
    return (
        update(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == session_id)
        .values(
            message_count=select(func.count()).where(*here, in_turn).scalar_subquery(),
            tool_call_count=select(func.count())
            .where(*here, MessageRow.role == constant("tool"))
            .scalar_subquery(),
            last_active=bindparam("now"),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            preview=func.coalesce(shown, SessionRow.preview),
            stored_bytes=SessionRow.stored_bytes + bindparam("added"),
            **session_totals(owner, session_id),
        )
        .returning(SessionRow.input_tokens, SessionRow.output_tokens)
    )


_SUMMED_UP = _summing_up()


def sum_up(
    tx: Session,
    owner: str,
    session_id: str | None,
    *,
    preview: str | None,
    now: float,
    added: int,
) -> tuple[int, int]:
    """Compute and store the sums anew; return the input and output tokens of the context, (0, 0)
    without a session. `preview`: the beginning of the last answer, if there is one. `added`: bytes
    that the session holds more than before."""
    values = {"of_owner": owner, "of_session": session_id, "preview_or_none": preview, "now": now}
    values["added"] = added
    row = tx.connection().execute(_SUMMED_UP, values).first() if session_id else None
    return (row.input_tokens, row.output_tokens) if row is not None else (0, 0)
