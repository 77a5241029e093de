"""Errors of database drivers without the data of users, which they quote, for the log. Pure.

SQLAlchemy adds the parameters of the statement, which `HIDE` prevents. The servers quote as well:
PostgreSQL's detail has the row that failed, its context the parameters, and the message of a value
that is not of its type the value.
"""

from typing import Any, Final

from sqlalchemy.exc import DBAPIError

#: Options for `create_engine`.
HIDE: Final[dict[str, Any]] = {"hide_parameters": True}

QUOTING: Final = ("22", "23")  # SQLSTATE classes whose messages quote values: data, integrity


def without_data(error: DBAPIError) -> DBAPIError:
    """Remove from the texts of the error, and of the driver's error in it, what may be data."""
    diagnosis = getattr(error.orig, "diag", None)
    if error.orig is None or diagnosis is None or diagnosis.sqlstate is None:
        return error  # SQLite names tables and columns only, and libpq's own errors addresses
    text = _described(diagnosis)
    error.orig.args = (text,)
    error.args = (f"({type(error.orig).__module__}.{type(error.orig).__name__}) {text}",)
    return error


def _described(diagnosis: Any) -> str:
    places = {
        "table": diagnosis.table_name,
        "column": diagnosis.column_name,
        "constraint": diagnosis.constraint_name,
    }
    quotes = diagnosis.sqlstate.startswith(QUOTING)
    message = "" if quotes else f" {diagnosis.message_primary}"
    named = "".join(f" {what}={name}" for what, name in places.items() if name)
    return f"SQLSTATE {diagnosis.sqlstate}{message}{named}"
