"""The closing transaction of a run: transcript, usage, state, last words, all or nothing (R20)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, Update, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from shared.content import clean_text
from shared.db.claims import Claim, next_in_line, owned
from shared.db.clock import read_clock
from shared.db.deletions import forget
from shared.db.endings import Announcement, Entries, announcement_of, fix_end
from shared.db.locks import lock_run, lock_session
from shared.db.models import (
    AttemptRow,
    MessageRow,
    RunRow,
    SessionRow,
    UsageRow,
)
from shared.db.snapshots import context_tokens, drop_covering
from shared.db.usage import BILLING, COSTS, COUNTS, session_totals
from shared.runs import ENDED, RunState


@dataclass(frozen=True)
class Closing:
    """What the end of a run leaves behind. `rows` are the turn's assistant and tool messages."""

    state: RunState
    event: str  # run.completed | run.failed
    payload: dict[str, Any]
    last_seq: int
    reason: str | None = None
    rows: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | None = None
    output: str | None = None
    synced: bool = False
    forget: Sequence[str] = ()  # ephemeral sessions that may be deleted


def close(session: Session, claim: Claim, closing: Closing) -> tuple[str | None, Announcement]:
    """Write the end; the id of the session's next queued run, and what is to be told. Raises
    LostRun."""
    run = owned(session, claim)
    now = read_clock(session)
    if claim.session_id is not None:
        _replace_rows(session, run, closing.rows, now)
    _store_usage(session, run, closing.usage, now)
    tokens = token_sums(session, claim.owner, claim.session_id)
    _update_session(session, run, closing.rows, tokens, now)
    for ephemeral_id in closing.forget:
        forget(session, run.profile, ephemeral_id, saved=closing.synced)
    counted = {"inputTokens": tokens[0], "outputTokens": tokens[1]}
    entries: Entries = [
        ("usage.updated", counted),
        (closing.event, {**closing.payload, **counted}),
    ]
    fix_end(
        session,
        run,
        closing.state,
        entries,
        last_seq=closing.last_seq,
        reason=closing.reason,
        output=closing.output,
        usage=dict(closing.usage) if closing.usage else None,
        gateway_synced=closing.synced,
    )
    end = announcement_of(run)
    assert end is not None  # it was written above
    return next_in_line(session, claim.owner, claim.session_id), end


def replace_late(
    session: Session,
    run_id: str,
    rows: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Any] | None,
) -> bool:
    """Give an ended run the rows that its gateway told only now, its own turn and no other (R24).

    False if that was done before, or the run is gone.
    """
    run = session.get(RunRow, run_id)
    if run is None or run.session_id is None:
        return False
    lock_session(session, run.owner, run.session_id)
    if lock_run(session, run.id) is None:
        return False
    if run.gateway_synced or run.state not in ENDED or run.turn_no is None:
        return False
    now = read_clock(session)
    _replace_rows(session, run, rows, now)
    _store_usage(session, run, usage, now)
    _update_session(session, run, rows, token_sums(session, run.owner, run.session_id), now)
    run.gateway_synced = True
    return True


def token_sums(session: Session, owner: str, session_id: str | None) -> tuple[int, int]:
    """Input and output tokens of a session, from its snapshot on (P22)."""
    return context_tokens(session, owner, session_id) if session_id is not None else (0, 0)


_CLEARED = (
    delete(MessageRow)
    .where(MessageRow.run_id == bindparam("of_run"), MessageRow.idx > 0)
    .execution_options(synchronize_session=False)
)


def _replace_rows(
    session: Session, run: RunRow, rows: Sequence[Mapping[str, Any]], now: float
) -> None:
    """The turn's own rows and no others; the prompt (index 0) stays. A snapshot that covers the
    turn is dropped, since it tells of the rows before (R23)."""
    if run.session_id is not None and run.turn_no is not None:
        drop_covering(session, run.owner, run.session_id, run.turn_no)
    session.execute(_CLEARED, {"of_run": run.id})
    for index, row in enumerate(rows, start=1):
        columns = {**row, "timestamp": row.get("timestamp") or now}
        session.add(
            MessageRow(
                owner=run.owner,
                session_id=run.session_id,
                run_id=run.id,
                turn_no=run.turn_no,
                idx=index,
                **columns,
            )
        )
    session.flush()


def _store_usage(
    session: Session, run: RunRow, usage: Mapping[str, Any] | None, now: float
) -> None:
    if not usage:
        return
    before = session.get(UsageRow, run.id)
    session.merge(
        UsageRow(
            run_id=run.id,
            owner=run.owner,
            session_id=run.session_id,
            profile=run.profile,
            model=usage.get("model") or run.model,
            created_at=before.created_at if before is not None else now,  # a day is not changed
            **{name: _count(usage.get(name)) for name in COUNTS},
            **{name: _cost(usage.get(name)) for name in COSTS},
            **{name: _text(usage.get(name)) for name in BILLING},
        )
    )
    session.flush()


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _cost(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < math.inf else None


def _text(value: object) -> str | None:
    return clean_text(value) if isinstance(value, str) and value else None


def _summing_up() -> Update:
    """Built once: it takes longer to put together than to run."""
    owner, session_id = bindparam("of_owner", type_=String), bindparam("of_session", type_=String)
    here = (MessageRow.owner == owner, MessageRow.session_id == session_id)
    placed = MessageRow.turn_no.is_not(None)
    count = select(func.count()).where(*here, placed).scalar_subquery()
    tools = select(func.count()).where(*here, MessageRow.role == "tool").scalar_subquery()
    shown = func.nullif(bindparam("preview_or_none", type_=String), "")
    return (
        update(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == session_id)
        .values(
            message_count=count,
            tool_call_count=tools,
            last_active=bindparam("now"),
            input_tokens=bindparam("input"),
            output_tokens=bindparam("output"),
            preview=func.coalesce(shown, SessionRow.preview),
            **session_totals(owner, session_id),
        )
        .execution_options(synchronize_session=False)
    )


_SUMMED_UP = _summing_up()


def _update_session(
    session: Session,
    run: RunRow,
    rows: Sequence[Mapping[str, Any]],
    tokens: tuple[int, int],
    now: float,
) -> None:
    if run.session_id is None:
        return
    answers = [row["content"] for row in rows if row["role"] == "assistant"]
    values: dict[str, Any] = {"now": now, "input": tokens[0], "output": tokens[1]}
    values |= {"of_owner": run.owner, "of_session": run.session_id}
    values["preview_or_none"] = " ".join(answers[-1].split())[:100] if answers else None
    session.execute(_SUMMED_UP, values)


def ephemeral_ids(session: Session, run_id: str) -> list[str]:
    """The gateway sessions that the run's attempts may have made."""
    rows = session.scalars(
        select(AttemptRow.ephemeral_id).where(
            AttemptRow.run_id == run_id, AttemptRow.never_sent.is_(False)
        )
    )
    return list(rows)
