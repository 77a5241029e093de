"""`/v1/responses`: made, read, streamed from any event on, cancelled, deleted."""

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.responses import place, records
from shared.db.responses.records import NewResponse, StoredResponse
from shared.db.runs.accept import Accepted
from shared.errors import NotFound
from shared.identifiers import is_identifier
from shared.protocol.run_states import ENDED
from web.api.http.bodies import body_of, checked
from web.api.http.errors import ApiError
from web.api.http.openai.following import Following
from web.api.http.openai.input_items import input_items
from web.api.http.openai.messages import Asked, asked, history
from web.api.http.openai.models import ItemsQuery, ResponseBody, RetrieveQuery
from web.api.http.openai.response_objects import response_id, response_object, run_id_of
from web.api.http.openai.response_stream import BEFORE_ALL, ResponseStream
from web.api.http.openai.waiting import of_accepted, wait_for_end
from web.api.http.routes import EVENT_STREAM, Answer, Call
from web.api.http.run_events import HEADERS
from web.api.http.runs import SESSION_HEADER, key_of_call
from web.api.run_requests import RunRequests
from web.payloads import RunPayload
from web.server.http_server import CONNECTION

CANCELLED_WITHIN = 3.0  # seconds; then the answer says that it is still in progress
LOOK_EVERY = 0.1  # seconds
BEFORE_MOST = 1000  # messages before a prompt; they are stored in one transaction


class Responses:
    """Each handler returns its answer or raises an error. A response of another owner looks like
    none."""

    def __init__(self, db: Database, requests: RunRequests, following: Following) -> None:
        self._db = db
        self._requests = requests
        self._following = following

    def create(self, call: Call) -> Answer | Response:
        """`POST /v1/responses`."""
        key = key_of_call(call)
        body = body_of(ResponseBody)
        if body.stream or not body.background:
            self._following.check_room(call)
        accepted = self._accepted(call, body, key)
        found = self._read(call, accepted.run_id)
        if body.store and not found.is_stored:
            raise _not_found(response_id(accepted.run_id))  # it was deleted; the key is left
        headers = {"Idempotency-Replayed": "true"} if key and accepted.repeated else {}
        if accepted.session_id is not None and accepted.session_id.isascii():
            headers[SESSION_HEADER] = accepted.session_id
        if body.stream:
            with of_accepted(accepted.run_id):
                return self._stream(call, found, BEFORE_ALL, headers)
        if not body.background and found.run.state not in ENDED:
            with of_accepted(accepted.run_id):
                follower = self._following.follow(call, found.run.id, found.run.session_id)
            wait_for_end(follower, found.run.id)
            found = self._read(call, accepted.run_id)
        return Answer(response_object(found), headers=headers)

    def show(self, call: Call) -> Answer | Response:
        """`GET /v1/responses/{response_id}`."""
        query = checked(RetrieveQuery, call.arguments)
        found = self._find(call)
        if not query.stream:
            return Answer(response_object(found))
        after = query.starting_after
        return self._stream(call, found, BEFORE_ALL if after is None else after, {})

    def cancel(self, call: Call) -> Answer | Response:
        """`POST /v1/responses/{response_id}/cancel`."""
        found = self._find(call)
        try:
            self._requests.stop(call.owner, found.run.id)
        except NotFound:
            return Answer(response_object(self._find(call)))  # it has ended
        deadline = time.monotonic() + CANCELLED_WITHIN
        found = self._find(call)
        while found.run.state not in ENDED and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            found = self._find(call)
        return Answer(response_object(found))

    def delete(self, call: Call) -> Answer | Response:
        """`DELETE /v1/responses/{response_id}`: its run is stopped, since nobody could read it."""
        found = self._find(call)
        gone = self._db.write(lambda tx: records.delete_response(tx, call.owner, found.run.id))
        if not gone:
            raise _not_found(call.path["response_id"])
        if found.run.state not in ENDED:
            with suppress(NotFound):  # it may have ended meanwhile
                self._requests.stop(call.owner, found.run.id)
        return Answer({"id": response_id(found.run.id), "object": "response", "deleted": True})

    def items(self, call: Call) -> Answer | Response:
        """`GET /v1/responses/{response_id}/input_items`."""
        query = checked(ItemsQuery, call.arguments)
        run_id = self._run_id(call)
        found = self._db.read(lambda tx: records.read_input(tx, call.owner, run_id))
        if found is None:
            raise _not_found(call.path["response_id"])
        page = input_items(
            found, run_id, limit=query.limit, newest_first=query.order == "desc", after=query.after
        )
        return Answer(page)

    # -- making one -----------------------------------------------------------------------------

    def _accepted(self, call: Call, body: ResponseBody, key: str | None) -> Accepted:
        _check(body)
        found = asked([body.input] if isinstance(body.input, str) else body.input, "input")
        given = body.instructions or found.instructions
        brought = history(body.conversation_history or [], "conversation_history")
        before = [*brought, *found.before]
        if len(before) > BEFORE_MOST:
            message = f"There may be {BEFORE_MOST} messages before the last one."
            raise ApiError(400, "invalid_payload", message, param="input")
        replaces = bool(brought) and body.session_id is not None
        new = NewResponse(
            previous_run_id=_previous(body),
            conversation=None if replaces and not body.store else body.session_id,
            background=body.background,
            metadata=body.metadata,
            before=[] if replaces and body.store else before,
        )
        said = {"response": body.model_dump(exclude={"stream", "background"})}
        try:
            if body.store:
                payload = _payload(body, found, given, str(uuid.uuid4()))
                return self._requests.accept(
                    call.owner,
                    call.profile,
                    payload,
                    key=key,
                    request=said,
                    response=new,
                    history=before if replaces else None,
                )
            payload = self._db.read(lambda tx: _unstored(tx, call.owner, body, found, given, new))
            return self._requests.accept(call.owner, call.profile, payload, key=key, request=said)
        except NotFound:
            message = f"Previous response not found: {(body.previous_response_id or '')[:100]}"
            raise ApiError(
                404, "response_not_found", message, param="previous_response_id"
            ) from None

    def _stream(
        self, call: Call, found: StoredResponse, number: int, headers: Mapping[str, str]
    ) -> Response:
        run = found.run
        is_kept = run.state in ENDED and found.parts is not None
        follower = None if is_kept else self._following.follow(call, run.id, run.session_id)
        stream = ResponseStream(
            found,
            number,
            follower=follower,
            read=lambda: self._db.read(lambda tx: records.read(tx, call.owner, run.id)),
            within=request.environ[CONNECTION].within,
        )
        return Response(stream, mimetype=EVENT_STREAM, headers={**HEADERS, **headers})

    # -- finding one ----------------------------------------------------------------------------

    def _find(self, call: Call) -> StoredResponse:
        """The stored response that the path names. Raises ApiError."""
        run_id = self._run_id(call)
        found = self._db.read(lambda tx: records.read(tx, call.owner, run_id))
        if found is None or not found.is_stored:
            raise _not_found(call.path["response_id"])
        return found

    def _read(self, call: Call, run_id: str) -> StoredResponse:
        with of_accepted(run_id):
            found = self._db.read(lambda tx: records.read(tx, call.owner, run_id))
        if found is None:
            raise _not_found(response_id(run_id))
        return found

    def _run_id(self, call: Call) -> str:
        named = call.path["response_id"]
        if not named.startswith("resp_") or not is_identifier(named):
            raise _not_found("that is none of a response")
        return run_id_of(named)


def _check(body: ResponseBody) -> None:
    """Raises ApiError for what cannot be done together."""
    if body.session_id is not None and body.previous_response_id:
        message = "Cannot use both 'conversation' and 'previous_response_id'"
        raise ApiError(400, "invalid_payload", message, param="conversation")
    if body.background and not body.store:
        message = "A response in the background has to be stored."
        raise ApiError(400, "unsupported_parameter", message, param="background")


def _previous(body: ResponseBody) -> str | None:
    """The run of the response before; the history that a request brings counts before it."""
    named = body.previous_response_id
    if named is None or body.conversation_history:
        return None
    return run_id_of(named) if named.startswith("resp_") and is_identifier(named) else ""


def _payload(
    body: ResponseBody, found: Asked, instructions: str | None, session_id: str | None
) -> RunPayload:
    fields = {
        "input": found.prompt,
        "session_id": session_id,
        "model": body.model,
        "instructions": instructions,
    }
    return checked(RunPayload, fields)


def _unstored(
    tx: Session,
    owner: str,
    body: ResponseBody,
    found: Asked,
    instructions: str | None,
    new: NewResponse,
) -> RunPayload:
    """The run of a response that is not to be stored: it has no session, and brings along what it
    goes on from."""
    said: list[dict[str, Any]] = []
    if new.previous_run_id is not None or new.conversation is not None:
        said, before = place.read_before(tx, owner, new)
        instructions = instructions or before.instructions
    messages = [*said, *new.before]
    prompt: Any = found.prompt
    if messages or isinstance(prompt, list):
        prompt = [*messages, {"role": "user", "content": prompt}]
    return _payload(body, Asked(prompt), instructions, None)


def _not_found(named: str) -> ApiError:
    """As the gateway says it."""
    return ApiError(404, "response_not_found", f"Response not found: {named[:100]}")
