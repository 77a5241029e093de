"""The column type of terms: a `tsvector` on PostgreSQL, text on SQLite, where FTS5 reads it.

A value is the terms with spaces between. PostgreSQL takes them as they are, without a dictionary.
"""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Text, func
from sqlalchemy.dialects.postgresql import TSVECTOR


class _TermVector(TSVECTOR):
    """Written as an array of terms. Never read."""

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        terms: ColumnElement[Any] = func.array_to_tsvector(func.string_to_array(bindvalue, " "))
        return terms


Terms = Text().with_variant(_TermVector(), "postgresql")
