"""Runs as their owner may look at them: one by its id, or a page of a list, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from shared.db.constants import constant
from shared.db.models import AttemptRow, RunRow
from shared.db.runs.session_queue import goes_first, is_sibling
from shared.protocol.run_states import RunState

Place = tuple[float, str]  # created_at and id of a run, its place in a list


@dataclass(frozen=True)
class RunFilter:
    """What a list is restricted to; times are epoch seconds."""

    states: Sequence[RunState] = ()
    reasons: Sequence[str] = ()
    without_reasons: Sequence[str] = ()
    session_id: str | None = None
    profile: str | None = None
    worker: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class RunStatus:
    """One run. `queue_position`: 1 for the first in line, None unless it is queued. `attempts`: how
    often it was posted to its gateway. `end`: the last stored entry, once it has ended."""

    id: str
    session_id: str | None
    profile: str
    state: RunState
    model: str | None
    created_at: float
    updated_at: float
    reason: str | None
    output: str | None
    usage: dict[str, Any] | None
    end: tuple[str, dict[str, Any]] | None
    announced: bool
    queue_position: int | None
    attempts: int


def read_status(tx: Session, owner: str, run_id: str) -> RunStatus | None:
    """Return the run; None if there is none, or it is of another owner."""
    row = tx.execute(_COLUMNS.where(RunRow.id == run_id, RunRow.owner == owner)).first()
    return _status(row) if row is not None else None


def list_statuses(
    tx: Session, owner: str, wanted: RunFilter, *, after: Place | None, limit: int
) -> list[RunStatus]:
    """Return at most `limit` runs, the newest first, from behind `after` on."""
    query = _COLUMNS.where(RunRow.owner == owner, *conditions(wanted))
    return [_status(row) for row in tx.execute(newest_first(query, after, limit))]


def newest_first(query: Any, after: Place | None, limit: int) -> Any:
    """A page of a query of runs: at most `limit` rows, from behind `after` on."""
    if after is not None:
        query = query.where(tuple_(RunRow.created_at, RunRow.id) < after)
    return query.order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(limit)


def conditions(wanted: RunFilter) -> list[Any]:
    """What the filter asks of rows of runs."""
    found: list[Any] = []
    if wanted.states:
        found.append(RunRow.state.in_([*wanted.states]))
    if wanted.reasons:
        found.append(RunRow.reason.in_([*wanted.reasons]))
    if wanted.without_reasons:
        found.append(func.coalesce(RunRow.reason, "").not_in([*wanted.without_reasons]))
    if wanted.session_id is not None:
        found.append(RunRow.session_id == wanted.session_id)
    if wanted.profile is not None:
        found.append(RunRow.profile == wanted.profile)
    if wanted.worker is not None:
        found.append(RunRow.worker == wanted.worker)
    if wanted.since is not None:
        found.append(RunRow.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(RunRow.created_at < wanted.until)
    return found


def count_before() -> Any:
    """How many runs of the session are to be done before a queued one, as a column `before`."""
    other = aliased(RunRow)
    return (
        select(func.count())
        .select_from(other)
        .where(is_sibling(other), goes_first(other), other.state == constant(RunState.QUEUED))
        .scalar_subquery()
        .label("before")
    )


def count_attempts() -> Any:
    """How often a run was posted to its gateway, as a column `attempts`."""
    return (
        select(func.count())
        .select_from(AttemptRow)
        .where(AttemptRow.run_id == RunRow.id, AttemptRow.never_sent.is_(False))
        .scalar_subquery()
        .label("attempts")
    )


def _columns() -> Any:
    return select(
        RunRow.id,
        RunRow.session_id,
        RunRow.profile,
        RunRow.state,
        RunRow.model,
        RunRow.created_at,
        RunRow.first_claimed_at,
        RunRow.stop_requested_at,
        RunRow.ended_at,
        RunRow.reason,
        RunRow.output,
        RunRow.usage,
        RunRow.terminal_entries,
        RunRow.announced_at,
        count_before(),
        count_attempts(),
    )


_COLUMNS = _columns()


def _status(row: Row[Any]) -> RunStatus:
    state = RunState(row.state)
    times = (row.created_at, row.first_claimed_at, row.stop_requested_at, row.ended_at)
    return RunStatus(
        id=row.id,
        session_id=row.session_id,
        profile=row.profile,
        state=state,
        model=row.model,
        created_at=row.created_at,
        updated_at=max(time for time in times if time is not None),
        reason=row.reason,
        output=row.output,
        usage=row.usage,
        end=tuple(row.terminal_entries[-1]) if row.terminal_entries else None,
        announced=row.announced_at is not None,
        queue_position=row.before + 1 if state is RunState.QUEUED else None,
        attempts=row.attempts,
    )
