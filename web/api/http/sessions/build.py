"""Builds what serves sessions over HTTP."""

from typing import Final

from shared.delete_session import SessionDeleter
from shared.edit_session import SessionEditor
from web.api.http.parts import Parts
from web.api.http.sessions.chat.chat import Chat
from web.api.http.sessions.chat.chat_turn import Turns
from web.api.http.sessions.deletion import Deletion
from web.api.http.sessions.messages import Messages
from web.api.http.sessions.routes import SessionHandlers
from web.api.http.sessions.session_events import SessionEvents
from web.api.http.sessions.sessions import Sessions
from web.readers.opening import Opening
from web.readers.sessions.catch_up import CatchUp

DELETE_WITHIN_MOST: Final = 20.0  # seconds, since a client waits for the answer


def build_session_handlers(parts: Parts, opening: Opening) -> SessionHandlers:
    """The handlers. A live run has `STOP_TIMEOUT` to stop before its session is deleted all the
    same."""
    db, event_log, membership, readers = (
        parts.db,
        parts.event_log,
        parts.membership,
        parts.readers,
    )
    catch_up = CatchUp(
        db=db,
        relay=parts.relay,
        membership=membership,
        sessions=parts.sessions,
        opening=opening,
    )
    deleter = SessionDeleter(db, event_log, parts.commands, parts.queue)
    stop_within = parts.settings.stop_timeout.total_seconds()
    return SessionHandlers(
        sessions=Sessions(db, SessionEditor(db, event_log), parts.profiles),
        deletion=Deletion(deleter, min(stop_within, DELETE_WITHIN_MOST)),
        messages=Messages(db),
        chat=Chat(db, Turns(parts.requests, opening, readers, membership)),
        events=SessionEvents(catch_up, readers, membership),
    )
