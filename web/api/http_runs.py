"""`POST /runs`: the event `run` over HTTP, for input that is larger than a socket's frame (P15).

The answer is the acknowledgement. A client that wants to watch the run sends `resume` on a socket,
before or after.
"""

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from shared.errors import HoldfastError
from shared.hermes.profiles import DEFAULT
from web.api.counted import count_request
from web.api.http_answers import refused
from web.api.request_auth import RequestAuth
from web.api.request_body import json_body
from web.api.run_requests import RunRequests
from web.payloads import RunPayload, parse
from web.sockets.rate_limit import OwnerLimits


def add_run_route(
    app: Flask, auth: RequestAuth, requests: RunRequests, limits: OwnerLimits
) -> None:
    """202 `{ok, run_id, session_id?, status}`, or an error's status with `{ok, error}`.
    `limits`: of the requests of one user."""

    def post_run() -> ResponseReturnValue:
        try:
            principal = auth.of_request(request.environ)
            count_request(limits, principal.owner, starts=True)
            profile = request.args.get("profile", "").strip() or DEFAULT
            payload = parse(RunPayload, (json_body(),))
            accepted = requests.accept(principal.owner, profile, payload)
        except HoldfastError as error:
            return refused(error)
        named = {"session_id": accepted.session_id} if accepted.session_id is not None else {}
        return jsonify(ok=True, run_id=accepted.run_id, status=accepted.status, **named), 202

    app.add_url_rule("/runs", view_func=post_run, methods=["POST"])
