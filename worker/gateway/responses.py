"""What a gateway's HTTP answers mean: which of them prove that a request was never taken (R2)."""

from collections.abc import Mapping
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from shared.conversation.content import clean_json
from shared.errors import GatewayBusy, GatewayError, GatewayUnreachable, PostUncertain


def json_object(response: requests.Response) -> dict[str, Any] | None:
    """The JSON object in the answer; None if it holds anything else."""
    try:
        answer = clean_json(response.json())
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def not_found(response: requests.Response, about: str) -> bool:
    """Whether it is the thing that is not found (`session_not_found`), and not the route."""
    return f"{about} not found" in str(json_object(response)).lower().replace("_", " ")


def unsent_or_uncertain(error: requests.RequestException) -> GatewayError:
    """No connection was made: never sent. Anything later: nobody knows (R2)."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError):
        return GatewayUnreachable("The gateway does not answer.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return GatewayUnreachable("The gateway's address is wrong.")
    return PostUncertain(f"POST: {type(error).__name__}")


def started_run(response: requests.Response) -> str:
    """The gateway's id of the run that was posted. Raises GatewayBusy, PostUncertain or
    GatewayError, as the answer proves that it has the run, may have it, or will not have it."""
    code = response.status_code
    if code in (429, 503):
        raise GatewayBusy(f"The gateway has no capacity (HTTP {code}).", _retry_after(response))
    if code in (500, 502, 504):
        raise PostUncertain(f"POST: HTTP {code}")
    answer = json_object(response) or {}
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
