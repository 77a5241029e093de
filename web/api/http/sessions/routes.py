"""The rows of `/api/sessions`."""

from dataclasses import dataclass

from web.api.http.routes import BODY, Header, Result, Route
from web.api.http.run_events import POSITION_HEADER
from web.api.http.run_models import EventsQuery
from web.api.http.runs import KEY_HEADER
from web.api.http.sessions import session_answers as answers
from web.api.http.sessions import session_models as models
from web.api.http.sessions.chat.chat import Chat
from web.api.http.sessions.deletion import Deletion
from web.api.http.sessions.messages import JSON, MARKDOWN, Messages
from web.api.http.sessions.session_events import SessionEvents
from web.api.http.sessions.sessions import Sessions

SESSIONS = "/api/sessions"
SESSION = "/api/sessions/{session_id}"
ID = {"session_id": "/session/id"}


@dataclass(frozen=True)
class SessionHandlers:
    """What serves the rows."""

    sessions: Sessions
    deletion: Deletion
    messages: Messages
    chat: Chat
    events: SessionEvents


def session_routes(by: SessionHandlers) -> list[Route]:
    """All of them."""
    return [*_sessions(by.sessions), *_deletions(by.deletion), *_contents(by), *_chats(by.chat)]


def _sessions(sessions: Sessions) -> list[Route]:
    return [
        Route(
            "GET",
            SESSIONS,
            sessions.list,
            "The sessions of this user, or those that a search finds.",
            Result(200, "A page of them.", answers.SessionList, ids={"session_id": "/data/0/id"}),
            query=models.SessionsQuery,
            refusals=[400],
        ),
        Route(
            "POST",
            SESSIONS,
            sessions.create,
            "Make an empty session.",
            Result(201, "The session.", answers.SessionAnswer, ids=ID),
            body=models.NewSessionBody,
            refusals=[*BODY, 409],
        ),
        Route(
            "GET",
            SESSION,
            sessions.show,
            "The fields of a session.",
            Result(200, "The session.", answers.SessionAnswer),
            refusals=[404],
        ),
        Route(
            "PATCH",
            SESSION,
            sessions.change,
            "Rename a session, or change another field of it; who watches it gets an event.",
            Result(200, "The session as it is now.", answers.SessionAnswer),
            body=models.SessionChangesBody,
            refusals=[*BODY, 404],
        ),
        Route(
            "POST",
            f"{SESSION}/fork",
            sessions.fork,
            "Copy a session, or its beginning.",
            Result(201, "The copy.", answers.SessionAnswer, ids=ID),
            body=models.ForkBody,
            refusals=[*BODY, 404, 409],
        ),
    ]


def _deletions(deletion: Deletion) -> list[Route]:
    return [
        Route(
            "DELETE",
            SESSION,
            deletion.delete,
            "Stop the runs of a session, and delete it with all its messages.",
            Result(200, "It is gone.", answers.DeletedSession),
            refusals=[404],
        ),
        Route(
            "POST",
            f"{SESSIONS}/delete",
            deletion.delete_several,
            "Delete several sessions.",
            Result(200, "What became of each.", answers.DeletedSessions),
            body=models.DeleteBody,
            refusals=BODY,
        ),
    ]


def _contents(by: SessionHandlers) -> list[Route]:
    return [
        Route(
            "GET",
            f"{SESSION}/messages",
            by.messages.page,
            "The messages of a session, from either end.",
            Result(200, "A page of them, in order of time.", answers.MessageList),
            query=models.MessagesQuery,
            refusals=[400, 404],
        ),
        Route(
            "GET",
            f"{SESSION}/export",
            by.messages.export,
            "A session as a file.",
            Result(200, "The file.", types=(JSON, MARKDOWN)),
            query=models.ExportQuery,
            refusals=[400, 404],
        ),
        Route(
            "GET",
            f"{SESSION}/events",
            by.events.stream,
            "The events of a session across its turns: all, or after a position, and live ones.",
            Result(200, "Server-sent events, until the session is deleted."),
            query=EventsQuery,
            headers=[Header(POSITION_HEADER, "The `id` of the last event that was received.")],
            refusals=[400, 404],
        ),
    ]


def _chats(chat: Chat) -> list[Route]:
    headers = [Header(KEY_HEADER, "The same key and body again wait for the first run again.")]
    refusals = [*BODY, 404, 409]
    return [
        Route(
            "POST",
            f"{SESSION}/chat",
            chat.answer,
            "Send a message and wait for its answer.",
            Result(200, "The answer.", answers.ChatAnswer, ids={"run_id": "/run_id"}),
            body=models.SessionChatBody,
            headers=headers,
            refusals=[*refusals, 502],
            starts_run=True,
        ),
        Route(
            "POST",
            f"{SESSION}/chat/stream",
            chat.stream,
            "Send a message and receive its answer piece by piece.",
            Result(200, "Server-sent events with names, until `done`."),
            body=models.SessionChatBody,
            headers=headers,
            refusals=refusals,
            starts_run=True,
        ),
    ]
