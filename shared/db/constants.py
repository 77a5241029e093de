"""Values that never change, written into statements rather than bound to them.

SQLite matches a bound value with the conditions of partial indexes by looking at it, and therefore
plans such a statement anew whenever it is executed: for `state = ?` on `runs` that takes ten times
as long as the execution. PostgreSQL cannot use a partial index for a bound value in a plan that it
keeps.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, String, literal_column


def constant(value: str) -> ColumnElement[str]:
    """The value as a part of the statement. It must be a plain word, such as a state or a role."""
    if not value.isidentifier():
        raise ValueError(value)
    return literal_column(f"'{value}'", String)


def constants(values: Iterable[str]) -> list[ColumnElement[str]]:
    """The same of several, for `in_`; sorted, so that equal sets give equal statements."""
    return [constant(value) for value in sorted(values)]
