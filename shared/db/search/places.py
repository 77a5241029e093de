"""The snippets of messages that were found."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Integer, case, func, literal, select
from sqlalchemy.orm import Session

from shared.conversation.search_terms import Term
from shared.conversation.snippet import Snippet, snippet
from shared.db.models import MessageRow

AROUND: Final = 2_000  # characters that are read of a message, from before its first place
AHEAD: Final = 100  # of these before the place


def read_snippets(
    tx: Session, owner: str, ids: Sequence[int], terms: Sequence[Term]
) -> dict[int | None, tuple[str, Snippet]]:
    """Return role and snippet of these messages of the owner, by id.

    The database looks for the place, in small letters only; if it finds none, the beginning of the
    message is read.
    """
    if not ids:
        return {}
    start = _start(tx, terms[0].text)
    rows = tx.execute(
        select(
            MessageRow.id,
            MessageRow.role,
            start.label("start"),
            func.substr(MessageRow.content, start, AROUND).label("part"),
        ).where(MessageRow.id.in_(ids), MessageRow.owner == owner)
    )
    return {row.id: (row.role, _of_part(row, terms)) for row in rows}


def _start(tx: Session, wanted: str) -> Any:
    is_sqlite = tx.get_bind().dialect.name == "sqlite"
    find = func.instr if is_sqlite else func.strpos
    place = find(func.lower(MessageRow.content), literal(wanted), type_=Integer)
    return case((place > AHEAD, place - AHEAD), else_=1)


def _of_part(row: Any, terms: Sequence[Term]) -> Snippet:
    shown = snippet(row.part, terms)
    if row.start == 1 or shown.text.startswith("…"):
        return shown
    moved = tuple((a + 1, b + 1) for a, b in shown.matches)
    return Snippet(f"…{shown.text}", moved)
