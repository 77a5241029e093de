"""Lists of an owner's sessions: pinned ones first, then those of the latest activity.

Problem: an owner has ten thousand sessions, and they move while a client reads page after page.
Idea: a page begins after a position (pinned, last activity, id), not after a number of rows, so no
session comes twice on that account and none is left out unless it has moved to a page before. The
index `sessions_by_activity` has this order. A search narrows the same list.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Row, Select, func, literal, null, select, tuple_
from sqlalchemy.orm import Session

from shared.conversation.search_terms import Term, query_terms
from shared.conversation.snippet import Snippet
from shared.db.models import SessionRow
from shared.db.search.find import MOST_FOUND, bounded, found
from shared.db.search.places import read_snippets
from shared.db.sessions.page_cursor import Position, decode, encode
from shared.db.sessions.session_info import INFO_COLUMNS, Info, info

LIMIT: Final = 50
MOST: Final = 200  # sessions of one page
COUNTED_MOST: Final = 100_000  # sessions of one owner; more are not counted


@dataclass(frozen=True)
class Filter:
    """Which sessions. None: whatever it is."""

    archived: bool | None = False
    pinned: bool | None = None
    profile: str | None = None
    workspace: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Match:
    """What a search found in a session: `messages` of its messages, of which the newest one is
    `message_id` with `snippet`; only its title if there is none."""

    messages: int
    message_id: int | None = None
    role: str | None = None
    snippet: Snippet | None = None


@dataclass(frozen=True)
class Listed:
    """A session of a list."""

    info: Info
    match: Match | None = None


@dataclass(frozen=True)
class SessionPage:
    """`total`: sessions on all pages. `next_cursor`: None on the last page. `is_complete`: False if
    a search found so much that only its newest part was looked at."""

    sessions: list[Listed]
    total: int
    next_cursor: str | None = None
    is_complete: bool = True


def list_sessions(
    tx: Session,
    owner: str,
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
    offset: int = 0,
    query: str | None = None,
    only: Filter = Filter(),
) -> SessionPage:
    """Return a page of the sessions of the owner; with `query`, of those whose title, or one of
    whose messages, has all words of it.

    `cursor`: `next_cursor` of the page before; `offset`: of sessions to leave out, for clients that
    page by numbers. Raises InvalidPayload for another cursor, SearchTooBroad.
    """
    limit = max(1, min(limit, MOST))
    after = decode(cursor) if cursor else None
    if query is None:
        return _plain_page(tx, owner, limit, after, offset, only)
    terms = query_terms(query)
    if not terms:
        return SessionPage([], 0)
    with bounded(tx) as newest:
        hits = found(tx, owner, terms, newest)
        return _found_page(tx, owner, limit, after, offset, only, terms, hits)


def counts(tx: Session, owner: str) -> dict[str, int]:
    """Return how many sessions the owner has that are `active` (not archived), `archived`, and
    `pinned` among the active ones."""
    active = Filter(archived=False)
    return {
        "active": _count(tx, owner, active),
        "archived": _count(tx, owner, Filter(archived=True)),
        "pinned": _count(tx, owner, Filter(archived=False, pinned=True)),
    }


def _plain_page(
    tx: Session, owner: str, limit: int, after: Position | None, offset: int, only: Filter
) -> SessionPage:
    statement = _ordered(select(*INFO_COLUMNS), owner, only, after)
    rows = tx.execute(statement.offset(offset or None).limit(limit + 1)).all()
    sessions = [Listed(info(row)) for row in rows[:limit]]
    return SessionPage(sessions, _count(tx, owner, only), _next(rows, limit))


def _found_page(
    tx: Session,
    owner: str,
    limit: int,
    after: Position | None,
    offset: int,
    only: Filter,
    terms: list[Term],
    hits: CTE,
) -> SessionPage:
    matched = _by_session(hits)
    is_first = after is None and not offset
    total = func.count().over() if is_first else _total(owner, only, matched)
    columns = (*INFO_COLUMNS, matched.c.newest, matched.c.messages, total.label("total"))
    statement = select(*columns, _is_full(hits)).join(
        matched, matched.c.session_id == SessionRow.id
    )
    rows = tx.execute(
        _ordered(statement, owner, only, after).offset(offset or None).limit(limit + 1)
    ).all()
    snippets = read_snippets(tx, owner, [r.newest for r in rows[:limit] if r.newest], terms)
    sessions = [
        Listed(info(row), Match(row.messages, row.newest, *snippets.get(row.newest, (None, None))))
        for row in rows[:limit]
    ]
    count = rows[0].total if rows else 0
    return SessionPage(sessions, count, _next(rows, limit), not (rows and rows[0].is_full))


def _by_session(hits: CTE) -> CTE:
    return (
        select(
            hits.c.session_id,
            func.max(hits.c.message_id).label("newest"),
            func.count(hits.c.message_id).label("messages"),
        )
        .group_by(hits.c.session_id)
        .cte("matched")
    )


def _total(owner: str, only: Filter, matched: CTE) -> ColumnElement[int]:
    wanted = select(func.count()).select_from(SessionRow)
    joined = wanted.join(matched, matched.c.session_id == SessionRow.id)
    return joined.where(*_wanted(owner, only)).scalar_subquery()


def _is_full(hits: CTE) -> ColumnElement[bool]:
    messages = select(func.count(hits.c.message_id)).scalar_subquery()
    return (messages >= MOST_FOUND).label("is_full")


def _ordered(
    statement: Select[Any], owner: str, only: Filter, after: Position | None
) -> Select[Any]:
    place = (SessionRow.pinned, SessionRow.last_active, SessionRow.id)
    conditions = _wanted(owner, only)
    if after is not None:
        values = (literal(after.pinned), literal(after.last_active), literal(after.id))
        conditions.append(tuple_(*place) < tuple_(*values))
    return statement.where(*conditions).order_by(*(column.desc() for column in place))


def _wanted(owner: str, only: Filter) -> list[ColumnElement[bool]]:
    given = {
        SessionRow.archived: only.archived,
        SessionRow.pinned: only.pinned,
        SessionRow.profile: only.profile,
        SessionRow.workspace: only.workspace,
        SessionRow.source: only.source,
    }
    return [
        SessionRow.owner == owner,
        *(column == value for column, value in given.items() if value is not None),
    ]


def _count(tx: Session, owner: str, only: Filter) -> int:
    """Counted in the order of the index, which the planner then reads instead of the table."""
    rows = _ordered(select(null()), owner, only, None).limit(COUNTED_MOST).subquery()
    return tx.scalar(select(func.count()).select_from(rows)) or 0


def _next(rows: Any, limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last: Row[Any] = rows[limit - 1]
    return encode(Position(last.pinned, last.last_active, last.id))
