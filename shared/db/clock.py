"""The clock of the database as an SQL expression: epoch seconds (R12).

It moves on within a transaction. All processes compare leases and times on this one clock. It is a
wall clock and may be set back; a stored time that lies further in the future than anybody would set
it then counts as over, so that nothing waits until the clock has caught up.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

SLACK: Final = 5.0  # seconds that a time may be ahead: clocks are adjusted by so much, and slowly


class DbNow(FunctionElement[float]):
    """`DbNow()` is the time at which the statement is executed, on the clock of the database."""

    type = Double()
    inherit_cache = True


@compiles(DbNow, "postgresql")
def _postgresql(element: DbNow, compiler: Any, **options: Any) -> str:
    return "EXTRACT(EPOCH FROM clock_timestamp())::double precision"


@compiles(DbNow, "sqlite")
def _sqlite(element: DbNow, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


_NOW = select(DbNow())


def read_clock(tx: Session) -> float:
    """Return the time on the clock of the database, in epoch seconds."""
    return float(tx.scalar(_NOW) or 0.0)


def is_past(time: Any, seconds: float) -> ColumnElement[bool]:
    """Whether something that happened at `time` is `seconds` ago; also if it lies in the future."""
    past: ColumnElement[bool] = (time < DbNow() - seconds) | (time > DbNow() + SLACK)
    return past


def is_due(time: Any, most: float) -> ColumnElement[bool]:
    """Whether `time` has come; also if it is further away than the `most` seconds that it was ever
    set ahead."""
    due: ColumnElement[bool] = (time <= DbNow()) | (time > DbNow() + (most + SLACK))
    return due


def waits(time: float | None, now: float, most: float) -> bool:
    """The opposite of `is_due` for a time that was read; False without one."""
    return time is not None and now < time <= now + most + SLACK
