"""`GET /api/sessions/{session_id}/events`: a whole session as a stream, across its turns."""

from typing import Final

from flask import Response, request

from shared.errors import NotFound
from web.api.http.bodies import checked
from web.api.http.errors import ApiError
from web.api.http.routes import EVENT_STREAM, Answer, Call
from web.api.http.run_events import HEADERS, POSITION_HEADER, Draining
from web.api.http.run_models import EventsQuery
from web.api.http.sessions.session_requests import session_not_found, session_of
from web.readers.place import NoPosition
from web.readers.readers import Readers, TooManyStreams
from web.readers.replay import BeyondTheEnd
from web.readers.sessions.catch_up import CatchUp
from web.readers.sessions.session_place import SessionPlace, parse_session
from web.readers.sessions.stream import SessionStream
from web.relay.feed_address import FeedAddress
from web.resume.membership import Membership
from web.server.connection_table import ClientConnection
from web.server.http_server import CONNECTION

NOW: Final = "now"


class SessionEvents:
    """The route, and what its streams need."""

    def __init__(self, catch_up: CatchUp, readers: Readers, membership: Membership) -> None:
        self._catch_up = catch_up
        self._readers = readers
        self._membership = membership

    def stream(self, call: Call) -> Answer | Response:
        """The stream; what it begins with is read before the status is sent."""
        if self._readers.is_closing:
            raise Draining
        session_id = session_of(call)
        try:
            place = self._place(call, session_id)
            self._readers.wait_if_slow(FeedAddress(call.owner, session_id).tag)
            stream = self._opened(call, session_id, place)
        except NotFound:
            raise session_not_found(session_id) from None
        except BeyondTheEnd:
            raise _invalid("The session has not come so far.") from None
        return Response(stream, mimetype=EVENT_STREAM, headers=HEADERS)

    def _place(self, call: Call, session_id: str) -> SessionPlace:
        """The position that the request names; the header counts first, since a client that
        reconnects by itself leaves the query as it was."""
        query = checked(EventsQuery, call.arguments)
        text = call.headers.get(POSITION_HEADER, "").strip() or query.position or ""
        if text == NOW:
            return self._catch_up.now(call.owner, session_id)
        try:
            place = parse_session(text) if text else SessionPlace()
        except NoPosition:
            raise _invalid("The position is neither the id of an event nor a turn.") from None
        self._catch_up.check(call.owner, session_id, place)
        return place

    def _opened(self, call: Call, session_id: str, place: SessionPlace) -> SessionStream:
        connection: ClientConnection = request.environ[CONNECTION]
        try:
            follower = self._readers.add_follower(
                call.principal, call.profile, session_id, connection.cut, connection.has_left
            )
        except TooManyStreams as error:
            raise ApiError(429, error.code, str(error)) from None
        try:
            follower.open(place)
            state = self._catch_up.state(call.owner, session_id)
            first = self._catch_up.next(follower)
        except BaseException:
            self._readers.remove(follower, self._membership)
            raise
        return SessionStream(
            follower,
            state,
            first,
            catch_up=self._catch_up,
            readers=self._readers,
            membership=self._membership,
            within=connection.within,
        )


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_position", message, param="last_event_id")
