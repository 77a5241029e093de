"""The clock of the database as an SQL expression: epoch seconds (R12).

It moves on within a transaction. All processes compare leases and times on this one clock.
"""

from typing import Any

from sqlalchemy import Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement


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
