"""What handlers of sessions have in common: the session of the path, ids of new ones, refusals."""

import re
import uuid
from typing import Any, Final

from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.sessions.session_info import Info, get
from shared.errors import NotFound
from shared.identifiers import is_identifier
from web.api.http.errors import ApiError
from web.api.http.routes import Call

#: What would be lost in a path: `/api/sessions/{session_id}` could not name it.
_UNFIT: Final = re.compile(r"[/\\]|\.\.|^\.$")


def session_of(call: Call) -> str:
    """The id in the path. Raises ApiError if no session can have it."""
    session_id = call.path["session_id"]
    if not is_identifier(session_id):
        raise session_not_found("that is none")
    return session_id


def session_not_found(session_id: str) -> ApiError:
    """As the gateway says it."""
    return ApiError(404, "session_not_found", f"Session not found: {session_id[:200]}")


def existing(db: Database, call: Call) -> Info:
    """The session that the path names. Raises ApiError if its owner has none of that id."""
    session_id = session_of(call)

    def read(tx: Session) -> Info:
        return get(tx, call.owner, session_id)

    try:
        return db.read(read)
    except NotFound:
        raise session_not_found(session_id) from None


def new_id(*given: Any) -> str:
    """The first of the ids that are given, or a new one. Raises ApiError."""
    for value in given:
        if value:
            name = value.strip() if isinstance(value, str) else ""
            if not is_identifier(name) or _UNFIT.search(name):
                raise ApiError(400, "invalid_session_id", "Invalid session ID", param="id")
            return name
    return f"api_{uuid.uuid4().hex}"
