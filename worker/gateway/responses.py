"""Decides what a gateway's answers mean, above all which prove that it does not have a run (R2).

A run may be posted again only after such a proof. Every answer that leaves it open, and every lost
answer, is PostUncertain.
"""

from collections.abc import Mapping
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from shared.conversation.content import clean_json
from shared.errors import (
    GatewayBusy,
    GatewayConflict,
    GatewayError,
    GatewayTooLarge,
    GatewayUnreachable,
    GatewayUnsupported,
    PostUncertain,
)


def json_object(response: requests.Response) -> dict[str, Any] | None:
    """The JSON object that the answer holds; None if it holds anything else."""
    try:
        answer = clean_json(response.json())
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def read_answer(
    response: requests.Response, request: str, about: str = ""
) -> dict[str, Any] | None:
    """The JSON object that the answer holds; None for 404.

    `request` names the request in errors. With `about` (say, "session"), None only if the 404 says
    that this is not found; any other 404 comes from a gateway without the endpoint. Raises
    GatewayUnsupported, GatewayConflict, or GatewayError for all else that is no success.
    """
    code = response.status_code
    if code == 404 and (not about or _is_not_found(response, about)):
        return None
    if code in (404, 405, 501):
        raise GatewayUnsupported(f"{request}: HTTP {code}, no such endpoint")
    if code == 409:
        raise GatewayConflict(f"{request}: HTTP 409")
    if not response.ok:
        raise GatewayError(f"{request}: HTTP {code}")
    answer = json_object(response)
    if answer is None:
        raise GatewayError(f"{request}: the answer is not a JSON object")
    return answer


def _is_not_found(response: requests.Response, about: str) -> bool:
    """Whether the answer names what is not found, as in `session_not_found`."""
    return f"{about} not found" in str(json_object(response)).lower().replace("_", " ")


def unsent_or_uncertain(error: requests.RequestException) -> GatewayError:
    """The error of a POST that got no answer: GatewayUnreachable when no connection was made, so
    nothing was sent; PostUncertain for anything later (R2)."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError):
        return GatewayUnreachable("The gateway does not answer.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return GatewayUnreachable("The gateway's address is wrong.")
    return PostUncertain(f"POST: {type(error).__name__}")


def started_run(response: requests.Response) -> str:
    """The gateway's id of the run that was posted.

    Raises GatewayBusy or GatewayError when the answer proves that the gateway does not have the run
    (GatewayError: it never will), PostUncertain when it may have it.
    """
    code = response.status_code
    if code in (429, 503):
        raise GatewayBusy(f"The gateway has no capacity (HTTP {code}).", _retry_after(response))
    if code in (500, 502, 504):
        raise PostUncertain(f"POST: HTTP {code}")
    answer = json_object(response) or {}
    if code == 413:
        raise GatewayTooLarge(f"The gateway refused the run (HTTP {code}): {_message(answer)}")
    if 400 <= code < 500:
        raise GatewayError(f"The gateway refused the run (HTTP {code}): {_message(answer)}")
    run_id = answer.get("run_id")
    if not isinstance(run_id, str) or not run_id:
        raise PostUncertain(f"POST: HTTP {code} without run_id")
    return run_id


def _message(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    text = error.get("message") if isinstance(error, dict) else error
    return str(text or "no reason given")[:500]


def _retry_after(response: requests.Response) -> float | None:
    try:
        return min(max(float(response.headers.get("Retry-After", "")), 0.1), 60.0)
    except ValueError:
        return None
