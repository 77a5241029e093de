"""Finding sessions by the terms of their messages and titles.

Problem: a common word is in a hundred thousand messages, of several owners, and a query may be
anything. Idea: a query becomes terms, which are looked up together with the term of the owner, so
that the index yields nobody else's. Of what is found only the newest MOST_FOUND messages count,
which are turned into sessions in the same statement. Invariant: what a search reads and returns is
bounded, and so is its time: beyond `WITHIN` it is refused.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import CTE, BigInteger, Integer, String, bindparam, column, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.conversation.search_terms import Term, owner_term
from shared.errors import SearchTooBroad

MOST_FOUND: Final = 5_000  # messages, and as many titles
WITHIN: Final = 2.0  # seconds on PostgreSQL
WITHIN_ON_SQLITE: Final = 1.0  # seconds: all else of the process waits meanwhile
STEPS: Final = 20_000  # instructions of SQLite between two looks at the clock

_QUERY_CANCELED: Final = "57014"
_MESSAGES: Final = {
    "postgresql": """
SELECT session_id, message_id FROM message_terms
WHERE terms @@ CAST(:search_query AS tsquery) AND owner = :search_owner
ORDER BY message_id DESC LIMIT :search_most
""",
    "sqlite": """
SELECT t.session_id, t.message_id FROM message_fts AS f
CROSS JOIN message_terms AS t ON t.message_id = f.rowid
WHERE f.message_fts MATCH :search_query AND t.owner = :search_owner
ORDER BY f.rowid DESC LIMIT :search_most
""",
}
_TITLES: Final = {
    "postgresql": """
SELECT session_id, CAST(NULL AS bigint) AS message_id FROM title_terms
WHERE terms @@ CAST(:search_query AS tsquery) AND owner = :search_owner LIMIT :search_most
""",
    "sqlite": """
SELECT t.session_id, NULL AS message_id FROM title_fts AS f
CROSS JOIN title_terms AS t ON t.id = f.rowid
WHERE f.title_fts MATCH :search_query AND t.owner = :search_owner
ORDER BY f.rowid DESC LIMIT :search_most
""",
}


def found(tx: Session, owner: str, terms: Sequence[Term]) -> CTE:
    """Return what has all of these terms, as rows `session_id, message_id`; of a title without
    `message_id`. At most MOST_FOUND of each, the newest messages."""
    dialect = tx.get_bind().dialect.name
    both = (f"SELECT * FROM ({part[dialect]}) AS part" for part in (_MESSAGES, _TITLES))  # noqa: S608
    return _rows(dialect, " UNION ALL ".join(both), owner, terms)


def titled(tx: Session, owner: str, terms: Sequence[Term]) -> CTE:
    """Return the sessions whose title has all of these terms, as `found` does."""
    dialect = tx.get_bind().dialect.name
    return _rows(dialect, _TITLES[dialect], owner, terms)


def _rows(dialect: str, statement: str, owner: str, terms: Sequence[Term]) -> CTE:
    query = _fts5(owner, terms) if dialect == "sqlite" else _tsquery(owner, terms)
    bound = text(statement).bindparams(
        bindparam("search_query", query, type_=String),
        bindparam("search_owner", owner, type_=String),
        bindparam("search_most", MOST_FOUND, type_=Integer),
    )
    columns = column("session_id", String), column("message_id", BigInteger)
    return bound.columns(*columns).cte("found").prefix_with("MATERIALIZED")


@contextmanager
def bounded(tx: Session) -> Iterator[None]:
    """Refuse statements within the block that take longer than `WITHIN`: raises SearchTooBroad."""
    limit = _sqlite_limit if tx.get_bind().dialect.name == "sqlite" else _postgresql_limit
    try:
        with limit(tx):
            yield
    except DBAPIError as error:
        if _was_cut(error):
            raise SearchTooBroad from None
        raise


@contextmanager
def _postgresql_limit(tx: Session) -> Iterator[None]:
    """Of this transaction only, which `bounded` ends when it was reached. The planner, which takes
    a query for cheaper than it may be, is kept from reading whole tables."""
    settings = {"statement_timeout": str(int(WITHIN * 1000)), "enable_seqscan": "off"}
    tx.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))
    yield


@contextmanager
def _sqlite_limit(tx: Session) -> Iterator[None]:
    driver: Any = tx.connection().connection.driver_connection
    until = time.monotonic() + WITHIN_ON_SQLITE
    driver.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def _was_cut(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) == _QUERY_CANCELED:
        return True
    return getattr(error.orig, "sqlite_errorname", None) == "SQLITE_INTERRUPT"


def _tsquery(owner: str, terms: Sequence[Term]) -> str:
    """Terms have no quotes and no backslashes; within quotes, nothing else has a meaning."""
    parts = (f"'{term.text}'{':*' if term.is_prefix else ''}" for term in terms)
    return " & ".join([f"'{owner_term(owner)}'", *parts])


def _fts5(owner: str, terms: Sequence[Term]) -> str:
    parts = (f'"{term.text}"{"*" if term.is_prefix else ""}' for term in terms)
    return " AND ".join([*parts, f'"{owner_term(owner)}"'])
