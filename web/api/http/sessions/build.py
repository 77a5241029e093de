"""Builds what serves sessions over HTTP."""

from typing import Final

from shared.db.database import Database
from shared.delete_session import SessionDeleter
from shared.edit_session import SessionEditor
from shared.event_log.clients import Commands
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.task_queue import TaskQueue
from web.api.http.sessions.chat.chat import Chat
from web.api.http.sessions.chat.chat_turn import Turns
from web.api.http.sessions.deletion import Deletion
from web.api.http.sessions.messages import Messages
from web.api.http.sessions.routes import SessionHandlers
from web.api.http.sessions.session_events import SessionEvents
from web.api.http.sessions.sessions import Sessions
from web.api.run_requests import RunRequests
from web.readers.opening import Opening
from web.readers.readers import Readers
from web.readers.sessions.catch_up import CatchUp
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.session_reader import SessionReader

DELETE_WITHIN_MOST: Final = 20.0  # seconds, since a client waits for the answer


def build_session_handlers(
    *,
    db: Database,
    event_log: EventLog,
    commands: Commands,
    queue: TaskQueue,
    profiles: Profiles,
    requests: RunRequests,
    opening: Opening,
    relay: Relay,
    membership: Membership,
    sessions: SessionReader,
    readers: Readers,
    stop_within: float,
) -> SessionHandlers:
    """The handlers, from the parts of a web process. `stop_within`: seconds that a live run has to
    stop before its session is deleted all the same."""
    catch_up = CatchUp(
        db=db, relay=relay, membership=membership, sessions=sessions, opening=opening
    )
    deleter = SessionDeleter(db, event_log, commands, queue)
    return SessionHandlers(
        sessions=Sessions(db, SessionEditor(db, event_log), profiles),
        deletion=Deletion(deleter, min(stop_within, DELETE_WITHIN_MOST)),
        messages=Messages(db),
        chat=Chat(db, Turns(requests, opening, readers, membership)),
        events=SessionEvents(catch_up, readers, membership),
    )
