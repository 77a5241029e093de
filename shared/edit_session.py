"""Changing the fields of a session, so that those who watch it see it (P14)."""

from collections.abc import Mapping
from typing import Any, Final

from shared.db.database import Database
from shared.db.sessions.edit_session import update_session
from shared.db.sessions.session_info import Info
from shared.event_log.session_events import publish_session_event
from shared.event_log.store import EventLog

ANNOUNCED: Final = ("title", "pinned", "archived", "workspace", "model")


def state_of(info: Info) -> dict[str, Any]:
    """The fields of `session.updated`."""
    return {name: info[name] for name in ANNOUNCED if info[name] is not None}


class SessionEditor:
    """Changes sessions and tells their rooms."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log

    def update(self, owner: str, session_id: str, changes: Mapping[str, Any]) -> Info:
        """Change fields of the session as `update_session` does, and send `session.updated`.

        Raises NotFound, InvalidPayload, InvalidTitle, DatabaseUnavailable. The change counts also
        when Redis does not answer.
        """
        now = self._db.write(lambda tx: update_session(tx, owner, session_id, changes))
        publish_session_event(
            self._event_log, "session.updated", owner=owner, session_id=session_id, **state_of(now)
        )
        return now
