"""`/api/runs`: the runs of all users for operators, and, for administrators, a failed run again."""

import logging
from dataclasses import replace

from flask import Response
from pydantic import ValidationError

from shared.db.database import Database
from shared.db.operations.retry import Asked, read_asked
from shared.db.operations.runs_of_all import list_facts
from shared.db.runs.accept import Accepted
from shared.protocol.run_states import RunState
from shared.roles import Role
from web.access.principal import require
from web.api.http.bodies import checked
from web.api.http.cursors import cursor_of, place_of
from web.api.http.errors import ApiError
from web.api.http.operations.progress import LiveProgress
from web.api.http.operations.queries import RunsQuery
from web.api.http.operations.run_figures import run_figures
from web.api.http.operations.scope import asks_for_others, is_operator
from web.api.http.routes import Answer, Call
from web.api.http.run_objects import states_of
from web.api.http.runs import not_found, run_id_of
from web.api.run_requests import RunRequests
from web.payloads import RunPayload

log = logging.getLogger(__name__)

KEY = "retry {}"  # no client can send a key with a space


class RunsOfAll:
    """Both routes."""

    def __init__(self, db: Database, requests: RunRequests, progress: LiveProgress) -> None:
        self._db = db
        self._requests = requests
        self._progress = progress

    def list(self, call: Call) -> Answer | Response:
        """`GET /api/runs`. A user is shown their own."""
        query = checked(RunsQuery, call.arguments)
        wanted = replace(
            states_of(query.status),
            session_id=query.session,
            profile=query.profile,
            worker=query.worker if is_operator(call) else None,
            since=query.since,
            until=query.until,
        )
        if query.reason is not None:
            wanted = replace(wanted, reasons=[query.reason])
        after = place_of(query.cursor) if query.cursor else None
        owner = query.owner if is_operator(call) else call.owner
        found = (
            self._db.read(
                lambda tx: list_facts(tx, owner, wanted, after=after, limit=query.limit + 1)
            )
            if not asks_for_others(call, query.owner)
            else []
        )
        page, more = found[: query.limit], found[query.limit :]
        progress = self._progress.of(page)
        return Answer(
            {
                "object": "list",
                "data": [
                    run_figures(run, with_worker=is_operator(call), progress=progress)
                    for run in page
                ],
                "has_more": bool(more),
                "next_cursor": cursor_of((page[-1].created_at, page[-1].id)) if more else None,
            }
        )

    def retry(self, call: Call) -> Answer | Response:
        """`POST /api/runs/{run_id}/retry`: a new run of the same input, in the same session, of the
        same owner. The second time it is the same new run."""
        require(call.principal, Role.ADMIN)
        run_id = run_id_of(call)
        accepted = try_again(self._db, self._requests, run_id)
        return Answer(
            {"run_id": accepted.run_id, "status": "started", "retry_of": run_id},
            202,
            {"Idempotency-Replayed": "true"} if accepted.repeated else {},
        )


def try_again(db: Database, requests: RunRequests, run_id: str) -> Accepted:
    """Accept a failed run once more; the second time it is the same new run. Raises ApiError."""
    asked = db.read(lambda tx: read_asked(tx, run_id))
    if asked is None:
        raise not_found(run_id)
    if asked.state is not RunState.FAILED:
        message = f"Only a failed run can be tried again; this one is {asked.state}."
        raise ApiError(409, "run_not_failed", message)
    key = KEY.format(run_id)
    accepted = requests.accept(
        asked.owner, asked.profile, _payload(asked), key=key, history=asked.history
    )
    log.info("run.retry_requested run_id=%s again=%s", run_id, accepted.run_id)
    return accepted


def _payload(asked: Asked) -> RunPayload:
    """The request, checked by the rules of today. Raises ApiError if they refuse it."""
    fields = {
        "input": asked.input,
        "session_id": asked.session_id,
        "instructions": asked.instructions,
        "model": asked.model,
    }
    try:
        return RunPayload.model_validate(fields)
    except (ValidationError, RecursionError):
        message = "This version does not accept the input of that run any longer."
        raise ApiError(409, "run_not_retryable", message) from None
