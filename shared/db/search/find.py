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
from shared.db.models import MessageTermsRow
from shared.errors import SearchTooBroad

MOST_FOUND: Final = 2_000  # messages, and as many titles
STEPS_BACK: Final = (64_000, 512_000)  # of the newest messages; then all of them
WITHIN: Final = 2.0  # seconds on PostgreSQL
WITHIN_ON_SQLITE: Final = 1.0  # seconds: all else of the process waits meanwhile
STEPS: Final = 20_000  # instructions of SQLite between two looks at the clock

_QUERY_CANCELED: Final = "57014"
_MESSAGES: Final = {
    "postgresql": """
SELECT session_id, message_id FROM (
    SELECT session_id, message_id FROM message_terms
    WHERE terms @@ CAST(:search_query AS tsquery) AND owner = :search_owner
    AND message_id > :search_after {fence}
) AS matching ORDER BY message_id DESC LIMIT :search_most
""",
    "sqlite": """
SELECT t.session_id, t.message_id FROM message_fts AS f
CROSS JOIN message_terms AS t ON t.message_id = f.rowid
WHERE f.message_fts MATCH :search_query AND t.owner = :search_owner AND f.rowid > :search_after
ORDER BY f.rowid DESC LIMIT :search_most
""",
}
_ENOUGH = """(
    SELECT count(*) >= :search_most FROM (
        SELECT 1 FROM message_terms
        WHERE terms @@ CAST(:search_query AS tsquery) AND owner = :search_owner
        AND message_id > :after_{step} LIMIT :search_most
    ) AS matching
)"""
_AFTER: Final = text(
    "SELECT CASE "
    + " ".join(
        f"WHEN {_ENOUGH.format(step=step)} THEN :after_{step}" for step in range(len(STEPS_BACK))
    )
    + " ELSE 0 END"
)
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


def found(tx: Session, owner: str, terms: Sequence[Term], newest: int) -> CTE:
    """Return what has all of these terms, as rows `session_id, message_id`; of a title without
    `message_id`. At most MOST_FOUND of each, the newest messages. `newest`: from `bounded`."""
    dialect = tx.get_bind().dialect.name
    values = _values(dialect, owner, terms)
    after, fence = _after(tx, values, newest) if newest > STEPS_BACK[0] else (0, "")
    parts = _MESSAGES[dialect].format(fence=fence), _TITLES[dialect]
    both = " UNION ALL ".join(f"SELECT * FROM ({part}) AS part" for part in parts)  # noqa: S608
    return _rows(both, {**values, "search_after": after})


def titled(tx: Session, owner: str, terms: Sequence[Term]) -> CTE:
    """Return the sessions whose title has all of these terms, as `found` does."""
    dialect = tx.get_bind().dialect.name
    return _rows(_TITLES[dialect], _values(dialect, owner, terms))


def _values(dialect: str, owner: str, terms: Sequence[Term]) -> dict[str, Any]:
    query = _fts5(owner, terms) if dialect == "sqlite" else _tsquery(owner, terms)
    return {"search_query": query, "search_owner": owner, "search_most": MOST_FOUND}


def _after(tx: Session, values: dict[str, Any], newest: int) -> tuple[int, str]:
    """Return the message after which enough messages are found (0: all are looked at), and what
    keeps the planner from walking over them instead of asking the index.

    SQLite yields the newest first. PostgreSQL reads all that its index yields, to sort it, which is
    too much of a frequent word; and to walk over all messages is too much for a rare one, which it
    does if it takes the word for frequent. So a walk has an end.
    """
    steps = {f"after_{n}": max(0, newest - step) for n, step in enumerate(STEPS_BACK)}
    after = int(tx.scalar(_AFTER, {**values, **steps}) or 0)
    return after, "" if after else "OFFSET 0"


def _rows(statement: str, values: dict[str, Any]) -> CTE:
    types: dict[str, Any] = {"search_most": Integer, "search_after": BigInteger}
    bound = text(statement).bindparams(
        *(bindparam(name, value, type_=types.get(name, String)) for name, value in values.items())
    )
    columns = column("session_id", String), column("message_id", BigInteger)
    return bound.columns(*columns).cte("found").prefix_with("MATERIALIZED")


@contextmanager
def bounded(tx: Session) -> Iterator[int]:
    """Refuse statements within the block that take longer than `WITHIN`: raises SearchTooBroad.

    Returns the newest message with terms on PostgreSQL, 0 on SQLite.
    """
    limit = _sqlite_limit if tx.get_bind().dialect.name == "sqlite" else _postgresql_limit
    try:
        with limit(tx) as newest:
            yield newest
    except DBAPIError as error:
        if _was_cut(error):
            raise SearchTooBroad from None
        raise


@contextmanager
def _postgresql_limit(tx: Session) -> Iterator[int]:
    """Of this transaction only, which `bounded` ends when it was reached. The planner is kept from
    reading whole tables, and from one plan for all words: how frequent one is decides."""
    settings = {
        "statement_timeout": str(int(WITHIN * 1000)),
        "enable_seqscan": "off",
        "plan_cache_mode": "force_custom_plan",
    }
    configured = (func.set_config(name, value, True) for name, value in settings.items())
    newest = select(func.coalesce(func.max(MessageTermsRow.message_id), 0)).scalar_subquery()
    yield tx.execute(select(newest, *configured)).one()[0]


@contextmanager
def _sqlite_limit(tx: Session) -> Iterator[int]:
    driver: Any = tx.connection().connection.driver_connection
    until = time.monotonic() + WITHIN_ON_SQLITE
    driver.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    try:
        yield 0
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
