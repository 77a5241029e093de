"""`GET /api/sessions/{session_id}/messages`, and `…/export`: what was said."""

import logging
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from flask import Response, request

from shared.db.database import Database
from shared.db.sessions.export_session import export_session
from shared.db.sessions.message_pages import Place, place_of, read_page
from shared.errors import NotFound, Unavailable
from web.api.http.bodies import checked
from web.api.http.cursors import text_of, values_of
from web.api.http.errors import ApiError
from web.api.http.routes import Answer, Call
from web.api.http.sessions.session_models import ExportQuery, MessagesQuery
from web.api.http.sessions.session_requests import existing, session_not_found, session_of
from web.readers.stream import joined
from web.server.connection_table import ClientConnection
from web.server.http_server import CONNECTION
from web.server.timed_body import TimedBody

log = logging.getLogger(__name__)

JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown"
_TYPES: Final = {"json": JSON, "md": MARKDOWN}
_TURNS: Final = range(2**31)
_IDS: Final = range(2**63)


class Messages:
    """The routes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def page(self, call: Call) -> Answer | Response:
        """`GET /api/sessions/{session_id}/messages`."""
        query = checked(MessagesQuery, call.arguments)
        session_id = existing(self._db, call)["id"]
        page = self._db.read(
            partial(
                read_page,
                owner=call.owner,
                session_id=session_id,
                limit=query.limit,
                forward=query.since == "start" and query.before is None,
                after=self._after(query, call.owner, session_id),
            )
        )
        following = page.next_place
        return Answer(
            {
                "object": "list",
                "session_id": session_id,
                "data": page.messages,
                "has_more": following is not None,
                "next_cursor": text_of(following) if following is not None else None,
                "ends": page.ends,
            }
        )

    def _after(self, query: MessagesQuery, owner: str, session_id: str) -> Place | None:
        """Where the page begins; None: at the end that was chosen."""
        if query.cursor:
            return _place(query.cursor)
        message_id = query.before
        if message_id is None:
            return None
        found = self._db.read(lambda tx: place_of(tx, owner, session_id, message_id))
        if found is None:
            text = "The session has no such message."
            raise ApiError(404, "message_not_found", text, param="before")
        return found

    def export(self, call: Call) -> Answer | Response:
        """`GET /api/sessions/{session_id}/export`."""
        kind = checked(ExportQuery, call.arguments).format
        session_id = session_of(call)
        connection: ClientConnection = request.environ[CONNECTION]
        try:
            parts = export_session(self._db, call.owner, session_id, kind)
        except NotFound:
            raise session_not_found(session_id) from None
        body = TimedBody(joined(_unless_broken(parts, connection)), connection.within)
        headers = {"Content-Disposition": f'attachment; filename="session.{kind}"'}
        return Response(body, mimetype=_TYPES[kind], headers=headers)


def _unless_broken(parts: Iterable[bytes], connection: ClientConnection) -> Iterator[bytes]:
    """A file that cannot be finished must not look as if it were."""
    try:
        yield from parts
    except Unavailable as error:
        log.info("export.broken code=%s", error.code)
        connection.cut()


def _place(cursor: str) -> Place:
    match values_of(cursor):
        case [int(turn), int(index), int(number)] as found if bool not in map(type, found):
            if turn in _TURNS and index in _TURNS and number in _IDS:
                return turn, index, number
    raise ApiError(400, "invalid_cursor", "The cursor is none of this server.", param="cursor")
