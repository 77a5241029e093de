"""`POST /runs`: the event `run` over HTTP, for input that is larger than a socket's frame (P15).

The answer is the acknowledgement. A client that wants to watch the run sends `resume` on a socket,
before or after.
"""

from typing import Any, Final

import orjson
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from shared.errors import (
    ClientError,
    HoldfastError,
    InvalidPayload,
    QueueFull,
    RequestConflict,
    SessionBusy,
    SessionTooLarge,
    Unavailable,
)
from shared.hermes.profiles import DEFAULT
from web.api.http.bodies import MAX_BYTES
from web.api.http.principal import authenticated
from web.api.run_requests import RunRequests
from web.auth import Authenticator, Unauthenticated
from web.payloads import RunPayload, parse

RETRY_AFTER: Final = "2"  # seconds

_STATUS: Final[tuple[tuple[type[HoldfastError], int], ...]] = (
    (Unauthenticated, 401),
    (RequestConflict, 409),
    (SessionBusy, 409),
    (QueueFull, 429),
    (SessionTooLarge, 413),
    (Unavailable, 503),
    (ClientError, 400),
    (HoldfastError, 500),
)


class TooLarge(ClientError):
    """The body is larger than this server takes."""

    code = "too_large"


def add_run_route(app: Flask, authenticator: Authenticator, requests: RunRequests) -> None:
    """202 `{ok, run_id, session_id?, status}`, or an error's status with `{ok, error}`."""

    def post_run() -> ResponseReturnValue:
        try:
            principal = authenticated(authenticator)
            profile = request.args.get("profile") or DEFAULT
            accepted = requests.accept(principal.owner, profile, parse(RunPayload, (_body(),)))
        except HoldfastError as error:
            refusal = {"code": error.code, "message": str(error)}
            status = _status(error)
            headers = {"Retry-After": RETRY_AFTER} if status in (429, 503) else {}
            return jsonify(ok=False, error=refusal), status, headers
        named = {"session_id": accepted.session_id} if accepted.session_id is not None else {}
        return jsonify(ok=True, run_id=accepted.run_id, status=accepted.status, **named), 202

    app.add_url_rule("/runs", view_func=post_run, methods=["POST"])


def _body() -> Any:
    # A page of another origin can send any other type without asking first.
    if request.mimetype != "application/json":
        raise InvalidPayload("Send the payload as application/json.")
    if request.content_length is None or request.content_length > MAX_BYTES:
        raise TooLarge(f"Send at most {MAX_BYTES} bytes, with their Content-Length.")
    try:
        return orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError:
        raise InvalidPayload("The body is not JSON.") from None


def _status(error: HoldfastError) -> int:
    if isinstance(error, TooLarge):
        return 413
    return next(status for kind, status in _STATUS if isinstance(error, kind))
