"""`/api/sessions`: list, create, look at, change, copy."""

from functools import partial
from typing import Any, Final

from flask import Response
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.retention import EPHEMERAL
from shared.db.sessions.edit_session import create_session
from shared.db.sessions.fork_session import fork_session
from shared.db.sessions.list_sessions import list_sessions
from shared.db.sessions.session_info import Info
from shared.edit_session import SessionEditor
from shared.errors import InvalidPayload, NotFound
from shared.hermes.profiles import Profiles
from web.api.http.bodies import body_of, checked, json_object
from web.api.http.errors import ApiError
from web.api.http.routes import Answer, Call
from web.api.http.sessions.session_models import (
    ForkBody,
    NewSessionBody,
    SessionChangesBody,
    SessionsQuery,
)
from web.api.http.sessions.session_objects import listed_object, session_answer
from web.api.http.sessions.session_requests import (
    existing,
    new_id,
    session_not_found,
)

SOURCE: Final = "api_server"  # as the gateway calls it


class Sessions:
    """Each handler returns its answer or raises an error of `shared.errors`. A session of another
    owner looks like none."""

    def __init__(self, db: Database, editor: SessionEditor, profiles: Profiles) -> None:
        self._db = db
        self._editor = editor
        self._profiles = profiles

    def list(self, call: Call) -> Answer | Response:
        """`GET /api/sessions`."""
        query = checked(SessionsQuery, call.arguments)
        read = partial(
            list_sessions,
            owner=call.owner,
            limit=query.limit,
            cursor=query.cursor or None,
            offset=query.offset,
            query=query.q,
            only=query.only,
        )
        try:
            page = self._db.read(read)
        except InvalidPayload as error:
            raise ApiError(400, "invalid_cursor", str(error), param="cursor") from None
        return Answer(
            {
                "object": "list",
                "data": [listed_object(one) for one in page.sessions],
                "limit": query.limit,
                "offset": query.offset,
                "has_more": page.next_cursor is not None,
                "next_cursor": page.next_cursor,
                "total": page.total,
                "complete": page.is_complete,
            }
        )

    def create(self, call: Call) -> Answer | Response:
        """`POST /api/sessions`."""
        body = body_of(NewSessionBody)
        if body.system_prompt:
            raise _without_prompt()
        session_id = new_id(body.id, body.session_id)
        profile = body.profile or call.profile
        self._profiles.getter_for(call.owner)(profile)
        fields = body.model_dump(include={"title", "model", "workspace", "pinned", "archived"})

        source = EPHEMERAL if body.ephemeral else SOURCE

        def write(tx: Session) -> Info:
            return create_session(
                tx, call.owner, session_id, profile=profile, source=source, **fields
            )

        return Answer(session_answer(self._db.write(write)), 201)

    def show(self, call: Call) -> Answer | Response:
        """`GET /api/sessions/{session_id}`."""
        return Answer(session_answer(existing(self._db, call)))

    def change(self, call: Call) -> Answer | Response:
        """`PATCH /api/sessions/{session_id}`."""
        info = existing(self._db, call)
        changes = _changes(json_object())
        if "profile" in changes:
            self._profiles.getter_for(call.owner)(changes["profile"])
        if changes:
            try:
                info = self._editor.update(call.owner, info["id"], changes)
            except NotFound:
                raise session_not_found(info["id"]) from None
        return Answer(session_answer(info))

    def fork(self, call: Call) -> Answer | Response:
        """`POST /api/sessions/{session_id}/fork`."""
        source = existing(self._db, call)["id"]
        body = body_of(ForkBody)
        name = new_id(body.id, body.session_id)

        def write(tx: Session) -> Info:
            return fork_session(tx, call.owner, source, name, up_to=body.up_to, title=body.title)

        try:
            return Answer(session_answer(self._db.write(write)), 201)
        except NotFound:
            existing(self._db, call)
            message = f"The session has no message {body.up_to}."
            raise ApiError(404, "message_not_found", message, param="up_to") from None


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(body) - set(SessionChangesBody.model_fields))
    if unknown:
        named = ", ".join(unknown)[:200]
        message = f"Unsupported session fields: {named}"
        raise ApiError(400, "unsupported_session_field", message)
    return checked(SessionChangesBody, body).model_dump(exclude_unset=True)


def _without_prompt() -> ApiError:
    message = "A session has no system prompt of its own; send instructions with each run."
    return ApiError(400, "unsupported_parameter", message, param="system_prompt")
