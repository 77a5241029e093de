"""Making a session without a run, and changing the fields of one."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.orm import Session

from shared.conversation.search_terms import VERSION
from shared.conversation.titles import clean_title
from shared.db.clock import DbNow
from shared.db.locks import lock_session
from shared.db.models import SessionRow
from shared.db.sessions.session_info import Info, get
from shared.db.sessions.titles import check_unused, set_title
from shared.db.upserts import Upsert
from shared.errors import InvalidPayload, NotFound, SessionExists
from shared.identifiers import is_fit, is_identifier

#: What `update_session` changes.
CHANGEABLE: Final = (
    "title",
    "pinned",
    "archived",
    "workspace",
    "model",
    "profile",
    "end_reason",
)

_FLAGS: Final = ("pinned", "archived")
_TEXT_MOST: Final = {"workspace": 4096, "model": 255, "end_reason": 255}  # characters


def _making(insert_of: Any) -> Any:
    return insert_of(SessionRow).on_conflict_do_nothing().returning(SessionRow.id)


_MADE = Upsert(_making)


def create_session(
    tx: Session,
    owner: str,
    session_id: str,
    *,
    profile: str,
    source: str = "chat",
    **changes: Any,
) -> Info:
    """Make an empty session, with `changes` as `update_session` takes them.

    Raises SessionExists, InvalidPayload, InvalidTitle. The caller has checked the profile.
    """
    if not is_identifier(session_id):
        raise InvalidPayload("This cannot be the id of a session.")
    values = {
        "owner": owner,
        "id": session_id,
        "profile": profile,
        "source": source,
        "started_at": DbNow(),
        "last_active": DbNow(),
        "title_indexed_by": VERSION,
    }
    if tx.execute(_MADE.on(tx).values(**values)).first() is None:
        raise SessionExists(f"Session already exists: {session_id}")
    return update_session(tx, owner, session_id, changes)


def update_session(tx: Session, owner: str, session_id: str, changes: Mapping[str, Any]) -> Info:
    """Change fields of the session, those of CHANGEABLE; return all of them.

    `title`: None or an empty one takes it away. `end_reason`: that the session is over; only the
    first one counts. `profile`: of runs that are accepted from now on; the caller has checked it.
    Nothing of it counts as activity. Raises NotFound, InvalidPayload for other
    fields or values, InvalidTitle.
    """
    values = {name: _checked(name, value) for name, value in changes.items()}
    if lock_session(tx, owner, session_id) is None:
        raise NotFound("There is no such session.")
    if "title" in values:
        title = values.pop("title")
        check_unused(tx, owner, title, session_id)
        set_title(tx, owner, session_id, title)
    if reason := values.pop("end_reason", None):
        _end(tx, owner, session_id, reason)
    if values:
        tx.execute(_row(owner, session_id).values(**values))
    return get(tx, owner, session_id)


def _row(owner: str, session_id: str) -> Any:
    return update(SessionRow).where(SessionRow.owner == owner, SessionRow.id == session_id)


def _end(tx: Session, owner: str, session_id: str, reason: str) -> None:
    once = _row(owner, session_id).where(SessionRow.ended_at.is_(None))
    tx.execute(once.values(ended_at=DbNow(), end_reason=reason))


def _checked(name: str, value: object) -> Any:
    if name in _FLAGS and isinstance(value, bool):
        return value
    if name in _TEXT_MOST and (value is None or _is_short(value, _TEXT_MOST[name])):
        return value or None
    if name == "profile" and is_identifier(value):
        return value
    if name == "title" and (value is None or isinstance(value, str)):
        return clean_title(value)
    if name not in CHANGEABLE:
        raise InvalidPayload(f"Unsupported session fields: {name}")
    raise InvalidPayload(f"{name} is not of the right type, too long, or has control characters.")


def _is_short(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and is_fit(value)
