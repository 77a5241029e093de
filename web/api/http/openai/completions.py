"""`POST /v1/chat/completions`: a run, whose answer is waited for, or streamed as chunks."""

from typing import Any

from flask import Response, request

from shared.db.database import Database
from shared.db.runs.run_status import RunStatus, read_status
from shared.errors import NotFound
from web.api.http.bodies import body_of, checked
from web.api.http.errors import ApiError
from web.api.http.openai.completion_objects import completion, how_it_ended
from web.api.http.openai.completion_stream import CompletionStream
from web.api.http.openai.following import Following
from web.api.http.openai.messages import Asked, asked
from web.api.http.openai.models import ChatBody
from web.api.http.openai.waiting import NO_RETRY, of_accepted, wait_for_end
from web.api.http.routes import EVENT_STREAM, Answer, Call
from web.api.http.run_events import HEADERS
from web.api.http.runs import SESSION_HEADER, key_of_call, session_of_call
from web.api.run_requests import RunRequests
from web.payloads import RunPayload
from web.server.http_server import CONNECTION


class Completions:
    """The route, and what it needs."""

    def __init__(self, db: Database, requests: RunRequests, following: Following) -> None:
        self._db = db
        self._requests = requests
        self._following = following

    def create(self, call: Call) -> Answer | Response:
        """The completion; errors of the run itself are 502, as the gateway has them."""
        self._following.check_room(call)
        key, session_id = key_of_call(call), session_of_call(call)
        body = body_of(ChatBody)
        payload = _payload(asked(body.messages, "messages"), body, session_id)
        said = {"chat": body.model_dump(exclude={"stream", "stream_options"}), "in": session_id}
        accepted = self._requests.accept(call.owner, call.profile, payload, key=key, request=said)
        headers = {"Idempotency-Replayed": "true"} if key and accepted.repeated else {}
        if accepted.session_id is not None and accepted.session_id.isascii():
            headers[SESSION_HEADER] = accepted.session_id
        with of_accepted(accepted.run_id):
            follower = self._following.follow(call, accepted.run_id, accepted.session_id)
        if not body.stream:
            wait_for_end(follower, accepted.run_id)
            return _answer(self._read(call, accepted.run_id), headers)
        try:
            stream = CompletionStream(
                self._read(call, accepted.run_id),
                follower,
                usage_alone=body.stream_options.include_usage,
                read=lambda: self._find(call, accepted.run_id),
                within=request.environ[CONNECTION].within,
                cut=request.environ[CONNECTION].cut,
            )
        except BaseException:
            follower.close()
            raise
        return Response(stream, mimetype=EVENT_STREAM, headers={**HEADERS, **headers})

    def _find(self, call: Call, run_id: str) -> RunStatus | None:
        return self._db.read(lambda tx: read_status(tx, call.owner, run_id))

    def _read(self, call: Call, run_id: str) -> RunStatus:
        with of_accepted(run_id):
            run = self._find(call, run_id)
        if run is None:
            raise NotFound
        return run


def _payload(found: Asked, body: ChatBody, session_id: str | None) -> RunPayload:
    """In a session its own messages come before the prompt, not those of the request."""
    prompt: Any = found.prompt
    if session_id is None and (found.before or isinstance(prompt, list)):
        prompt = [*found.before, {"role": "user", "content": prompt}]
    fields = {
        "input": prompt,
        "session_id": session_id,
        "model": body.model,
        "instructions": found.instructions,
    }
    return checked(RunPayload, fields)


def _answer(run: RunStatus, headers: dict[str, str]) -> Answer:
    how = how_it_ended(run)
    if how is None:
        return Answer(completion(run), headers=headers)
    headers = {
        **headers,
        "X-Hermes-Completed": "false",
        "X-Hermes-Partial": str(how["partial"]).lower(),
    }
    if how["failed"] and not run.output:
        message = how["error"] or "The run did not produce an answer."
        more = {"hermes": {name: how[name] for name in ("completed", "partial", "failed")}}
        raise ApiError(502, "agent_incomplete", message, headers={**headers, **NO_RETRY}, more=more)
    return Answer(completion(run), headers=headers)
