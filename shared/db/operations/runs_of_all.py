"""Runs of one owner or of all, without their contents: a page of a list, or the open ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import Session

from shared.db.constants import constants
from shared.db.models import IS_FAILED, RunRow, UsageRow
from shared.db.runs.run_status import (
    Place,
    RunFilter,
    conditions,
    count_attempts,
    count_before,
    newest_first,
)
from shared.protocol.run_states import OPEN, RunState


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run beside its contents. Times are epoch seconds by the database's clock.

    `queue_position`: 1 for the first in line, None unless it is queued. `attempts`: how often it
    was posted. `worker`: the one that has it, or had it last. `first_token_at`: by its worker's
    clock, known once it has ended. `output_tokens`: as its gateway counted them.
    """

    id: str
    owner: str
    session_id: str | None
    profile: str
    state: RunState
    model: str | None
    created_at: float
    claimed_at: float | None
    first_token_at: float | None
    ended_at: float | None
    reason: str | None
    worker: str | None
    takeovers: int
    attempts: int
    queue_position: int | None
    output_tokens: int | None


def list_facts(
    tx: Session, owner: str | None, wanted: RunFilter, *, after: Place | None, limit: int
) -> list[RunFacts]:
    """Return at most `limit` runs, the newest first, from behind `after` on. `owner`: None for all
    owners."""
    query = _COLUMNS.where(*of_owner(owner), *conditions(wanted), *_helping(wanted.states))
    return [_facts(row) for row in tx.execute(newest_first(query, after, limit))]


def open_facts(tx: Session, owner: str | None, limit: int) -> list[RunFacts]:
    """Return at most `limit` runs that wait or are live, the oldest first."""
    query = _COLUMNS.where(*of_owner(owner), *are_open())
    query = query.order_by(RunRow.created_at, RunRow.id).limit(limit)
    return [_facts(row) for row in tx.execute(query)]


def read_facts(tx: Session, owner: str | None, run_id: str) -> RunFacts | None:
    """Return the run; None if there is none, or it is not of `owner`."""
    row = tx.execute(_COLUMNS.where(RunRow.id == run_id, *of_owner(owner))).first()
    return _facts(row) if row is not None else None


def are_open() -> list[ColumnElement[bool]]:
    """Whether a run waits or is live. An end is announced after it is written, so the second part
    changes nothing; by it the database sees that the index of runs which are not done will do."""
    return [RunRow.state.in_(constants(OPEN)), RunRow.announced_at.is_(None)]


def of_owner(owner: str | None) -> list[ColumnElement[bool]]:
    """Whether a run is of the owner; None: of anybody."""
    return [] if owner is None else [RunRow.owner == owner]


def _helping(states: Sequence[RunState]) -> list[ColumnElement[bool]]:
    """What follows from the states anyway, in the words of an index."""
    if states and OPEN.issuperset(states):
        return [RunRow.announced_at.is_(None)]
    return [IS_FAILED] if list(states) == [RunState.FAILED] else []


def _columns() -> Any:
    return select(
        RunRow.id,
        RunRow.owner,
        RunRow.session_id,
        RunRow.profile,
        RunRow.state,
        RunRow.model,
        RunRow.created_at,
        RunRow.first_claimed_at,
        RunRow.first_token_at,
        RunRow.ended_at,
        RunRow.reason,
        RunRow.worker,
        RunRow.takeovers,
        count_attempts(),
        count_before(),
        UsageRow.output_tokens,
    ).outerjoin(UsageRow, UsageRow.run_id == RunRow.id)


_COLUMNS = _columns()


def _facts(row: Row[Any]) -> RunFacts:
    state = RunState(row.state)
    return RunFacts(
        id=row.id,
        owner=row.owner,
        session_id=row.session_id,
        profile=row.profile,
        state=state,
        model=row.model,
        created_at=row.created_at,
        claimed_at=row.first_claimed_at,
        first_token_at=row.first_token_at,
        ended_at=row.ended_at,
        reason=row.reason,
        worker=row.worker,
        takeovers=row.takeovers,
        attempts=row.attempts,
        queue_position=row.before + 1 if state is RunState.QUEUED else None,
        output_tokens=row.output_tokens,
    )
