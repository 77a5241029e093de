"""`POST /api/sessions/{session_id}/chat` and `…/chat/stream`: a message and its answer.

Both start a run like any other, which goes on when the client leaves.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from flask import Response

from shared.db.database import Database
from shared.db.sessions.message_pages import answers_of
from shared.errors import ClientError, DatabaseUnavailable
from shared.protocol.events import RUN_FAILED
from shared.protocol.run_ends import usage_of
from web.api.http.bodies import body_of
from web.api.http.errors import ApiError
from web.api.http.routes import EVENT_STREAM, Answer, Call
from web.api.http.run_events import HEADERS
from web.api.http.runs import SESSION_HEADER, key_of_call
from web.api.http.sessions.chat.chat_events import ENDS, ChatEvents, Named
from web.api.http.sessions.chat.chat_turn import Turn, Turns
from web.api.http.sessions.session_models import SessionChatBody
from web.api.http.sessions.session_requests import existing
from web.readers.frames import KEEPALIVE
from web.readers.readers import TooManyStreams

Event = Mapping[str, Any]


class Chat:
    """The routes."""

    def __init__(self, db: Database, turns: Turns) -> None:
        self._db = db
        self._turns = turns

    def answer(self, call: Call) -> Answer | Response:
        """`POST …/chat`."""
        _, turn = self._start(call)
        try:
            end = next((event for event in _events(turn) if event["event"] in ENDS), None)
        finally:
            turn.stream.close()
        run_id, session_id = turn.accepted.run_id, str(turn.accepted.session_id)
        if end is None:
            raise _draining(run_id)
        if end["event"] == RUN_FAILED:
            raise _failed(run_id, end)
        body = {
            "object": "hermes.session.chat.completion",
            "session_id": session_id,
            "run_id": run_id,
            "message": {"role": "assistant", "content": end.get("output") or ""},
            "usage": usage_of(end.get("usage")),
        }
        return Answer(body, headers=_headers(turn))

    def stream(self, call: Call) -> Answer | Response:
        """`POST …/chat/stream`."""
        said, turn = self._start(call)
        headers = {**HEADERS, **_headers(turn)}
        return Response(ChatStream(turn, said, self._db), mimetype=EVENT_STREAM, headers=headers)

    def _start(self, call: Call) -> tuple[object, Turn]:
        session_id = existing(self._db, call)["id"]
        payload = body_of(SessionChatBody).payload(session_id)
        try:
            return payload.input, self._turns.start(call, payload, key_of_call(call))
        except TooManyStreams as error:
            raise ApiError(429, error.code, str(error)) from None


class ChatStream:
    """The body of the response. Iterate over it once; `close` ends the reader."""

    def __init__(self, turn: Turn, said: object, db: Database) -> None:
        self._turn = turn
        self._db = db
        self._chunks = self._all(said)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """The response is over, or the client has left."""
        self._turn.stream.close()

    def _all(self, said: object) -> Iterator[bytes]:
        accepted = self._turn.accepted
        events = ChatEvents(str(accepted.session_id), accepted.run_id)
        yield b"".join(_frame(named) for named in events.begin(said))
        for found in self._turn.events():
            if found is None:
                yield KEEPALIVE
                continue
            place, event = found
            messages = self._messages() if event["event"] in ENDS else []
            yield b"".join(_frame(named, place) for named in events.of(event, messages))

    def _messages(self) -> list[dict[str, Any]]:
        """Those of the turn; none if the database does not answer now."""
        try:
            return self._db.read(lambda tx: answers_of(tx, self._turn.accepted.run_id))
        except DatabaseUnavailable:
            return []


def _events(turn: Turn) -> Iterator[Event]:
    return (found[1] for found in turn.events() if found is not None)


def _frame(named: Named, place: bytes = b"") -> bytes:
    """`place`: an id from which the run's own events go on."""
    name, payload = named
    lead = b"id: " + place + b"\n" if place else b""
    return lead + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(payload) + b"\n\n"


def _headers(turn: Turn) -> dict[str, str]:
    session_id = str(turn.accepted.session_id)
    return {SESSION_HEADER: session_id} if session_id.isascii() else {}


def _draining(run_id: str) -> ClientError:
    message = (
        f"This process is about to stop; the answer goes on as {run_id}. Read it there, or send "
        "the request again with its Idempotency-Key."
    )
    return ApiError(503, "draining", message)


def _failed(run_id: str, end: Event) -> ClientError:
    message = f"{end.get('error') or 'The run failed.'} ({run_id})"
    return ApiError(502, str(end.get("reason") or "run_failed"), message)
