"""A run that a request waits for: made together with a reader, so that nothing of it is missed.

The place of the reader among those of its owner is taken before the run is stored: a request that
is refused has started nothing. From then on nothing but the run's own end answers it, not even a
service that does not answer for a while, since the client would send the message again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from flask import request

from shared.db.runs.accept import Accepted
from web.api.http.routes import Call
from web.api.http.run_events import Draining
from web.api.run_requests import RunRequests
from web.payloads import RunPayload
from web.readers.opening import Opening
from web.readers.place import start_of
from web.readers.reader import RunReader
from web.readers.readers import Readers
from web.readers.replay import Start
from web.readers.stream import EventStream
from web.resume.membership import Membership
from web.server.connection_table import ClientConnection
from web.server.http_server import CONNECTION


@dataclass(frozen=True)
class Turn:
    """An accepted run and its events."""

    accepted: Accepted
    stream: EventStream

    def events(self) -> Iterator[tuple[bytes, dict[str, Any]] | None]:
        """Each event with its id; None while nothing comes."""
        for chunk in self.stream:
            for part in chunk.split(b"\n\n"):
                if part.startswith(b"id: "):
                    lead, _, data = part.partition(b"\ndata: ")
                    yield lead.removeprefix(b"id: "), orjson.loads(data)
                elif part.startswith(b":"):
                    yield None


class Turns:
    """Makes turns."""

    def __init__(
        self, requests: RunRequests, opening: Opening, readers: Readers, membership: Membership
    ) -> None:
        self._requests = requests
        self._opening = opening
        self._readers = readers
        self._membership = membership

    def start(self, call: Call, payload: RunPayload, key: str | None) -> Turn:
        """Accept the run and open its events. Raises TooManyStreams, Draining, and what
        `RunRequests.accept` raises; nothing is stored then."""
        if self._readers.is_closing:
            raise Draining
        connection: ClientConnection = request.environ[CONNECTION]
        reader = self._readers.add(
            call.principal, call.profile, "", connection.cut, connection.has_left
        )
        try:
            accepted = self._requests.accept(call.owner, call.profile, payload, key=key)
        except BaseException:
            self._readers.remove(reader, self._membership)
            raise
        return Turn(accepted, self._stream(reader, accepted.run_id, connection))

    def _stream(self, reader: RunReader, run_id: str, connection: ClientConnection) -> EventStream:
        reader.run_id = run_id
        reader.open(start_of(run_id))
        reader.lose()  # it is opened by its stream, as often as that takes
        return EventStream(
            reader,
            Start([], start_of(run_id)),
            opening=self._opening,
            readers=self._readers,
            membership=self._membership,
            within=connection.within,
        )
