"""`GET /v1/runs/{run_id}/events`: the events of a run, from any position, for any number."""

from flask import Response, request

from shared.errors import NotFound, Unavailable
from web.api.http.bodies import checked
from web.api.http.errors import ApiError
from web.api.http.routes import EVENT_STREAM, Answer, Call
from web.api.http.run_models import EventsQuery
from web.api.http.runs import Runs, not_found
from web.readers.opening import Cursor, Opening
from web.readers.place import NoPosition, parse
from web.readers.readers import Readers, TooManyStreams
from web.readers.replay import BeyondTheEnd, PositionGone
from web.readers.stream import EventStream
from web.relay.feed_address import FeedAddress
from web.resume.membership import Membership
from web.server.connection_table import ClientConnection
from web.server.http_server import CONNECTION

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
POSITION_HEADER = "Last-Event-ID"


class Draining(Unavailable):
    """This process is about to stop; connect again."""

    code = "draining"


class RunEvents:
    """The route, and what its streams need."""

    def __init__(
        self, runs: Runs, opening: Opening, readers: Readers, membership: Membership
    ) -> None:
        self._runs = runs
        self._opening = opening
        self._readers = readers
        self._membership = membership

    def stream(self, call: Call) -> Answer | Response:
        """The stream; what it begins with is read before the status is sent."""
        if self._readers.is_closing:
            raise Draining
        cursor = _cursor(call)
        run = self._runs.find(call)
        tag = FeedAddress(call.owner, run.session_id, run.id).tag
        self._readers.wait_if_slow(tag)
        stream = self._opened(call, run.id, cursor)
        if stream.has_nothing and POSITION_HEADER in call.headers:
            stream.close()
            return Response(status=204)  # a browser's EventSource connects again after any other
        return Response(stream, mimetype=EVENT_STREAM, headers=HEADERS)

    def _opened(self, call: Call, run_id: str, cursor: Cursor) -> EventStream:
        connection: ClientConnection = request.environ[CONNECTION]
        try:
            reader = self._readers.add(
                call.principal, call.profile, run_id, connection.cut, connection.has_left
            )
        except TooManyStreams as error:
            raise ApiError(429, error.code, str(error)) from None
        try:
            start = self._opening.open(reader, cursor)
        except BaseException as error:
            self._readers.remove(reader, self._membership)
            _refuse(error, run_id)
            raise
        return EventStream(
            reader,
            start,
            opening=self._opening,
            readers=self._readers,
            membership=self._membership,
            within=connection.within,
        )


def _refuse(error: BaseException, run_id: str) -> None:
    if isinstance(error, NotFound):
        raise not_found(run_id) from None
    if isinstance(error, BeyondTheEnd):
        raise _invalid("The run has no event of that number yet.") from None
    if isinstance(error, PositionGone):
        message = (
            "The events before that number were condensed. Go on from the id of an event, or read "
            "from the beginning."
        )
        raise ApiError(410, "position_gone", message) from None


def _cursor(call: Call) -> Cursor:
    """The position that the request names; the header counts first, since a client that reconnects
    by itself leaves the query as it was. Raises ApiError."""
    query = checked(EventsQuery, call.arguments)
    text = call.headers.get(POSITION_HEADER, "").strip() or query.position
    if not text:
        return None
    try:
        return parse(text)
    except NoPosition:
        raise _invalid("The position is neither the id of an event nor a number.") from None


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_position", message, param="last_event_id")
