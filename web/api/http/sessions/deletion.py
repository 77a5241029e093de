"""Deleting sessions: one, or several at once (P28)."""

from typing import Final

from flask import Response

from shared.db.delete_session import Removed
from shared.delete_session import SessionDeleter
from shared.errors import HoldfastError, NotFound
from shared.identifiers import is_identifier
from web.api.http.bodies import body_of
from web.api.http.routes import Answer, Call
from web.api.http.sessions.session_models import DeleteBody
from web.api.http.sessions.session_requests import session_not_found, session_of

NOT_FOUND: Final = "session_not_found"


class Deletion:
    """The routes."""

    def __init__(self, deleter: SessionDeleter, within: float) -> None:
        """`within`: seconds that live runs have to stop."""
        self._deleter = deleter
        self._within = within

    def delete(self, call: Call) -> Answer | Response:
        """`DELETE /api/sessions/{session_id}`."""
        session_id = session_of(call)
        try:
            self._deleter.delete(call.owner, session_id, within=self._within)
        except NotFound:
            raise session_not_found(session_id) from None
        return Answer({"object": "hermes.session.deleted", "id": session_id, "deleted": True})

    def delete_several(self, call: Call) -> Answer | Response:
        """`POST /api/sessions/delete`."""
        names = list(dict.fromkeys(body_of(DeleteBody).ids))
        possible = [name for name in names if is_identifier(name)]
        results = self._deleter.delete_all(call.owner, possible, within=self._within)
        data = [_result(name, results.get(name)) for name in names]
        return Answer({"object": "list", "data": data})


def _result(name: str, found: Removed | HoldfastError | None) -> dict[str, object]:
    if isinstance(found, Removed):
        return {"id": name, "deleted": True, "error": None}
    code = NOT_FOUND if found is None or isinstance(found, NotFound) else found.code
    shown = name.encode("utf-8", "replace").decode()[:200]
    return {"id": shown, "deleted": False, "error": code}
