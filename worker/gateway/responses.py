"""Decides what a gateway's answers mean, above all which prove that it does not have a run (R2).

A run may be posted again only after such a proof. Every answer that leaves it open, and every lost
answer, is PostUncertain.
"""

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from shared.errors import (
    GatewayBusy,
    GatewayConflict,
    GatewayError,
    GatewayTooLarge,
    GatewayUnreachable,
    GatewayUnsupported,
    PostConflict,
    PostUncertain,
)
from worker.gateway import boundary
from worker.gateway.exchange import Answer, NoAnswer

SAID_MOST = 10_000  # bytes in which an error names what is not found
LEAST_RETRY, MOST_RETRY = 0.1, 60.0  # seconds; what a gateway names is kept within them
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def json_object(answer: Answer) -> dict[str, Any] | None:
    """The JSON object that the answer holds, for `boundary`; None if it holds anything else."""
    return boundary.answer(answer.body)


def read_answer(answer: Answer, request: str, about: str = "") -> dict[str, Any] | None:
    """The JSON object that the answer holds; None for 404.

    `request` names the request in errors. With `about` (say, "session"), None only if the 404 says
    that this is not found; any other 404 comes from a gateway without the endpoint. Raises
    GatewayUnsupported, GatewayConflict, or GatewayError for all else that is no success.
    """
    code = answer.status
    if code == 404 and (not about or _is_not_found(answer, about)):
        return None
    if code in (404, 405, 501):
        raise GatewayUnsupported(f"{request}: HTTP {code}, no such endpoint")
    if code == 409:
        raise GatewayConflict(f"{request}: HTTP 409")
    if 300 <= code < 400:
        raise GatewayError(f"{request}: {_redirect(answer)}")
    if not 200 <= code < 300:
        raise GatewayError(f"{request}: HTTP {code}")
    found = json_object(answer)
    if found is None:
        raise GatewayError(f"{request}: the answer is not a JSON object")
    return found


def _is_not_found(answer: Answer, about: str) -> bool:
    """Whether the answer names what is not found, as in `session_not_found`."""
    said = answer.body[:SAID_MOST].decode("utf-8", "replace")
    return f"{about} not found" in said.lower().replace("_", " ")


def _redirect(answer: Answer) -> str:
    """Why a redirect is an error, and where it points, without what may be secret in it."""
    try:
        parts = urlsplit(answer.headers.get("Location", ""))
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        place = ""
    shown = "".join(char for char in place if char.isprintable())[:200]
    return f"the gateway redirects (HTTP {answer.status}) to {shown or 'nowhere'}; use that address"


def unsent_or_uncertain(error: NoAnswer) -> GatewayError:
    """The error of a POST that got no answer: GatewayError when one side does not trust the other's
    certificate, GatewayUnreachable when nothing was sent for another reason, PostUncertain for
    anything later (R2)."""
    if error.untrusted:
        return GatewayError(f"The run was not sent: {error}")
    if not error.sent:
        return GatewayUnreachable(f"The gateway does not answer ({error}).")
    return PostUncertain(f"POST: {error}")


def started_run(answer: Answer) -> str:
    """The gateway's id of the run that was posted.

    Raises GatewayBusy or GatewayError when the answer proves that the gateway does not have the run
    (GatewayError: it never will), PostUncertain when it may have it, PostConflict when it has
    another attempt of it.
    """
    code = answer.status
    if code in (429, 503):
        raise GatewayBusy(f"The gateway has no capacity (HTTP {code}).", retry_after(answer))
    if code in (500, 502, 504):
        raise PostUncertain(f"POST: HTTP {code}")
    if 300 <= code < 400:
        raise GatewayError(f"The run was not sent: {_redirect(answer)}.")
    found = json_object(answer) or {}
    if code == 409 and boundary.error_code(found) == "idempotency_key_conflict":
        raise PostConflict()
    if 400 <= code < 500:
        said = boundary.error_of(found) or "no reason given"
        kind = GatewayTooLarge if code == 413 else GatewayError
        raise kind(f"The gateway refused the run (HTTP {code}): {said[:500]}")
    run_id = boundary.run_id(found)
    if run_id is None:
        raise PostUncertain(f"POST: HTTP {code} without run_id")
    return run_id


def is_replayed(answer: Answer) -> bool:
    """Whether the gateway had the run already, from the same request sent before."""
    said = answer.headers.get("Idempotency-Replayed", "")
    return said.strip().lower() == "true"


def retry_after(answer: Answer) -> float | None:
    """The seconds that the answer's Retry-After names, as a number or as a date (RFC 9110, section
    10.2.3), kept within limits; None without one, or for anything else."""
    value = answer.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(max(float(value), LEAST_RETRY), MOST_RETRY)
    until, now = _date(value), _date(answer.headers.get("Date", ""))
    if until is None:
        return None
    # The gateway's own clock, if it tells it: the two clocks may differ.
    return min(max(until - (time.time() if now is None else now), LEAST_RETRY), MOST_RETRY)


def _date(value: str) -> float | None:
    """Epoch seconds of an HTTP date; its old form has no zone, and means GMT."""
    try:
        found = parsedate_to_datetime(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
