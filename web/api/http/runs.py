"""`/v1/runs`: start, look at, stop, answer, list. The events are in `run_events.py`."""

import re
from dataclasses import replace
from typing import Final

from flask import Response

from shared.db.database import Database
from shared.db.runs.run_status import RunStatus, list_statuses, read_status
from shared.errors import Expired, NotFound
from shared.identifiers import is_identifier
from shared.protocol.run_states import LIVE
from web.api.approvals import Approvals
from web.api.http.bodies import body_of, checked, json_object
from web.api.http.cursors import cursor_of, place_of
from web.api.http.errors import ApiError
from web.api.http.live_run import LiveRun, LiveRuns
from web.api.http.routes import Answer, Call
from web.api.http.run_models import ApprovalBody, ListQuery, RunBody
from web.api.http.run_objects import run_object, states_of
from web.api.run_requests import RunRequests
from web.payloads import ApprovalPayload

KEY_HEADER: Final = "Idempotency-Key"
SESSION_HEADER: Final = "X-Hermes-Session-Id"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Runs:
    """Each handler returns its answer or raises an error of `shared.errors`. A run of another owner
    looks like none."""

    def __init__(
        self,
        db: Database,
        requests: RunRequests,
        approvals: Approvals,
        live: LiveRuns,
    ) -> None:
        self._db = db
        self._requests = requests
        self._approvals = approvals
        self._live = live

    def start(self, call: Call) -> Answer | Response:
        """`POST /v1/runs`."""
        key = key_of_call(call)
        body = body_of(RunBody)
        payload = body.payload(session_of_call(call))
        history = body.history() if payload.session_id is not None else None
        accepted = self._requests.accept(
            call.owner, call.profile, payload, key=key, history=history
        )
        headers = {"Idempotency-Replayed": "true"} if key and accepted.repeated else {}
        if accepted.session_id is not None and accepted.session_id.isascii():
            headers[SESSION_HEADER] = accepted.session_id
        return Answer({"run_id": accepted.run_id, "status": "started"}, 202, headers)

    def show(self, call: Call) -> Answer | Response:
        """`GET /v1/runs/{run_id}`."""
        run = self.find(call)
        live = LiveRun()
        if run.state in LIVE:
            live = self._live.look(call.owner, run.session_id, run.id)
        return Answer(run_object(run, waits=live.waits, last_event=live.last_event))

    def stop(self, call: Call) -> Answer | Response:
        """`POST /v1/runs/{run_id}/stop`."""
        run_id = run_id_of(call)
        try:
            stopped = self._requests.stop(call.owner, run_id)
        except NotFound:
            raise not_found(run_id) from None
        return Answer({"run_id": run_id, "status": "cancelled" if stopped.ended else "stopping"})

    def approve(self, call: Call) -> Answer | Response:
        """`POST /v1/runs/{run_id}/approval`."""
        run = self.find(call)
        body = _approval()
        try:
            if body.all or body.resolve_all:
                answered = self._approvals.answer_all(call.owner, run.id, body.choice)
            else:
                fields = {"run_id": run.id, **body.model_dump(include={"choice", "approval_id"})}
                payload = ApprovalPayload.model_validate(fields)
                answered = [self._approvals.answer_of(call.owner, payload)]
        except NotFound:
            message = f"Run has no active approval session: {run.id}"
            raise ApiError(409, "approval_not_active", message) from None
        except Expired:
            message = f"Run has no pending approval: {run.id}"
            raise ApiError(409, "approval_not_pending", message) from None
        return Answer(
            {
                "object": "hermes.run.approval_response",
                "run_id": run.id,
                "choice": body.choice,
                "resolved": len(answered),
                "approval_id": answered[0].approval_id,
            }
        )

    def list(self, call: Call) -> Answer | Response:
        """`GET /v1/runs`."""
        given = {
            name: value for name, value in call.arguments.items() if value or name != "profile"
        }
        query = checked(ListQuery, given)
        wanted = replace(
            states_of(query.status),
            session_id=query.session_id,
            profile=query.profile or None,
            since=query.since,
            until=query.until,
        )
        after = place_of(query.cursor) if query.cursor else None
        found = self._db.read(
            lambda tx: list_statuses(tx, call.owner, wanted, after=after, limit=query.limit + 1)
        )
        page, more = found[: query.limit], found[query.limit :]
        last = (page[-1].created_at, page[-1].id) if more else None
        return Answer(
            {
                "object": "list",
                "data": [run_object(run, output=False) for run in page],
                "has_more": bool(more),
                "next_cursor": cursor_of(last) if last is not None else None,
            }
        )

    def find(self, call: Call) -> RunStatus:
        """The run that the path names. Raises ApiError if its owner has none of that id."""
        run_id = run_id_of(call)
        run = self._db.read(lambda tx: read_status(tx, call.owner, run_id))
        if run is None:
            raise not_found(run_id)
        return run


def not_found(run_id: str) -> ApiError:
    """As the gateway says it."""
    return ApiError(404, "run_not_found", f"Run not found: {run_id[:100]}")


def run_id_of(call: Call) -> str:
    """The id in the path. Raises ApiError for what is none."""
    run_id = call.path["run_id"]
    if not is_identifier(run_id):
        raise not_found("that is none of a run")
    return run_id


def key_of_call(call: Call) -> str | None:
    """The Idempotency-Key. Raises ApiError."""
    key = call.headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        message = "The Idempotency-Key has up to 255 visible ASCII characters."
        raise ApiError(400, "invalid_idempotency_key", message, param=KEY_HEADER)
    return key


def session_of_call(call: Call) -> str | None:
    """The session that a header names. Raises ApiError."""
    session_id = call.headers.get(SESSION_HEADER, "").strip()
    if session_id and not is_identifier(session_id):
        message = "The session id has up to 200 characters, none of them control characters."
        raise ApiError(400, "invalid_payload", message, param=SESSION_HEADER)
    return session_id or None


def _approval() -> ApprovalBody:
    body = json_object()
    try:
        return checked(ApprovalBody, body)
    except ApiError as error:
        if error.param != "choice":
            raise
        message = "Invalid approval choice; expected one of: once, session, always, deny"
        raise ApiError(400, "invalid_approval_choice", message, param="choice") from None
