"""The usage of runs, summed by the database: per day, model, profile, session or owner.

There is one row per run, so a transcript that is fetched twice counts once. Sums are not stored,
except in the row of the session, for which `session_totals` computes them anew each time.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, String, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from shared.db.clock import read_clock
from shared.db.models import UsageRow

DAY: Final = 86_400.0  # seconds; epoch time has no leap seconds
COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
COSTS: Final = ("estimated_cost_usd", "actual_cost_usd")
BILLING: Final = ("billing_provider", "cost_status")


class UtcDay(FunctionElement[str]):
    """`UtcDay(column)` is the day of an epoch time, as `YYYY-MM-DD` in UTC."""

    type = String()
    inherit_cache = True


@compiles(UtcDay, "postgresql")
def _postgresql(element: UtcDay, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"to_char(to_timestamp({column}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


@compiles(UtcDay, "sqlite")
def _sqlite(element: UtcDay, compiler: Any, **options: Any) -> str:
    return f"strftime('%Y-%m-%d', {compiler.process(element.clauses, **options)}, 'unixepoch')"


class By(StrEnum):
    """What the sums are grouped by."""

    DAY = "day"
    MODEL = "model"
    PROFILE = "profile"
    SESSION = "session"
    OWNER = "owner"


@dataclass(frozen=True)
class UsageSum:
    """The usage of a group of runs. `key` names the group: a day `YYYY-MM-DD` (UTC), a model, a
    profile, a session id, an owner; None where that is not known, and for a total.

    Costs are in US dollars; None where no gateway has reported any.
    """

    key: str | None
    runs: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    estimated_cost_usd: float | None
    actual_cost_usd: float | None


@dataclass(frozen=True)
class Span:
    """The time from `since` (epoch seconds) until before `until`; of one owner, or of all."""

    since: float
    until: float | None = None
    owner: str | None = None


def last_days(tx: Session, days: int, owner: str | None = None) -> Span:
    """Return today, in UTC by the clock of the database, with the `days` - 1 days before it."""
    now = read_clock(tx)
    return Span(now - now % DAY - (days - 1) * DAY, owner=owner)


def sums(tx: Session, by: By, span: Span, limit: int | None = None) -> list[UsageSum]:
    """Return one sum per group: days in order, other groups by tokens used, most first; of these
    at most `limit`."""
    keys: dict[By, Any] = {
        By.DAY: UtcDay(UsageRow.created_at),
        By.MODEL: UsageRow.model,
        By.PROFILE: UsageRow.profile,
        By.SESSION: UsageRow.session_id,
        By.OWNER: UsageRow.owner,
    }
    spent = func.sum(UsageRow.input_tokens + UsageRow.output_tokens)
    query = select(keys[by].label("key"), *_totals()).where(*_within(span)).group_by("key")
    query = query.order_by("key") if by is By.DAY else query.order_by(spent.desc(), "key")
    return [_sum(row) for row in tx.execute(query.limit(limit))]


@dataclass(frozen=True)
class DayOfModel:
    """The usage of one model on one day (`YYYY-MM-DD`, UTC); the fields of `UsageSum`."""

    day: str
    model: str | None
    runs: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    estimated_cost_usd: float | None
    actual_cost_usd: float | None


def sums_of_days(tx: Session, span: Span, limit: int = 500) -> list[DayOfModel]:
    """Return one sum per day and model, in order of days, at most `limit`."""
    query = select(
        UtcDay(UsageRow.created_at).label("day"), UsageRow.model.label("model"), *_totals()
    ).where(*_within(span))
    query = query.group_by("day", UsageRow.model).order_by("day", UsageRow.model).limit(limit)
    return [DayOfModel(row.day, row.model, **_figures(row)) for row in tx.execute(query)]


def total(tx: Session, span: Span) -> UsageSum:
    """Return one sum of all, without a key."""
    query = select(literal(None).label("key"), *_totals()).where(*_within(span))
    return _sum(tx.execute(query).one())


def session_totals(
    owner: str | BindParameter[str], session_id: str | BindParameter[str]
) -> dict[str, ScalarSelect[Any]]:
    """Return column of `sessions` -> its value from the usage rows of the runs, for an UPDATE.

    Not in it are `input_tokens` and `output_tokens`, which are those of the context (P22). Of texts
    it is the newest that a gateway has reported.
    """
    here = (UsageRow.owner == owner, UsageRow.session_id == session_id)
    values: dict[str, ScalarSelect[Any]] = {}
    for name in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
        column = func.coalesce(func.sum(getattr(UsageRow, name)), 0)
        values[name] = select(column).where(*here).scalar_subquery()
    for name in COSTS:
        values[name] = select(func.sum(getattr(UsageRow, name))).where(*here).scalar_subquery()
    for name in BILLING:
        text = getattr(UsageRow, name)
        newest = select(text).where(*here, text.is_not(None))
        newest = newest.order_by(UsageRow.created_at.desc(), UsageRow.run_id).limit(1)
        values[name] = newest.scalar_subquery()
    return values


def _within(span: Span) -> list[ColumnElement[bool]]:
    conditions = [UsageRow.created_at >= span.since]
    if span.until is not None:
        conditions.append(UsageRow.created_at < span.until)
    if span.owner is not None:
        conditions.append(UsageRow.owner == span.owner)
    return conditions


def _totals() -> list[ColumnElement[Any]]:
    counts = [func.coalesce(func.sum(getattr(UsageRow, n)), 0).label(n) for n in COUNTS]
    costs = [func.sum(getattr(UsageRow, name)).label(name) for name in COSTS]
    return [func.count().label("runs"), *counts, *costs]


def _sum(row: Any) -> UsageSum:
    return UsageSum(key=row.key, **_figures(row))


def _figures(row: Any) -> dict[str, Any]:
    counts = {name: int(getattr(row, name)) for name in COUNTS}  # PostgreSQL sums to numeric
    costs = {name: getattr(row, name) for name in COSTS}
    return {"runs": row.runs, **counts, **costs}
