"""The titles of an owner's sessions: one that a person gives is given once."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from shared.conversation.search_terms import VERSION, Term, query_terms, terms_of
from shared.conversation.titles import next_title
from shared.db.models import SessionRow
from shared.db.search.find import titled
from shared.db.search.index import index_title
from shared.errors import InvalidTitle

LOOKED_AT = 1_000  # sessions with a similar title


def check_unused(tx: Session, owner: str, title: str | None, session_id: str) -> None:
    """Raise InvalidTitle if another session of the owner has this title."""
    terms = [Term(term) for term in terms_of(title or "")]
    others = _sessions(tx, owner, terms, SessionRow.title == title, SessionRow.id != session_id)
    if others:
        raise InvalidTitle(f"Title '{title}' is already in use by session {others[0][0]}")


def set_title(tx: Session, owner: str, session_id: str, title: str | None) -> None:
    """Give the session its title, by which it is found from now on. The caller has locked it."""
    tx.execute(
        update(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == session_id)
        .values(title=title, title_indexed_by=VERSION)
    )
    index_title(tx, owner, session_id, title)


def title_of_copy(tx: Session, owner: str, title: str | None) -> str:
    """Return a title for a copy of a session with this title."""
    base = title or "fork"
    similar = _sessions(tx, owner, query_terms(base.partition(" #")[0]))
    return next_title(base, [found or "" for _, found in similar])


def _sessions(
    tx: Session, owner: str, terms: Sequence[Term], *only: ColumnElement[bool]
) -> list[tuple[str, str | None]]:
    """Ids and titles of the sessions whose title has these terms; none without terms."""
    if not terms:
        return []
    found = titled(tx, owner, terms)
    rows = tx.execute(
        select(SessionRow.id, SessionRow.title)
        .join(found, found.c.session_id == SessionRow.id)
        .where(SessionRow.owner == owner, *only)
        .limit(LOOKED_AT)
    )
    return [(row.id, row.title) for row in rows]
