"""What HTTP requests are answered with when they are refused: `{ok: false, error}`."""

from typing import Any, Final

import orjson
from flask import jsonify, request
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
from web.access.principal import Forbidden, ForeignOrigin, TooManyGuesses, Unauthenticated
from web.sockets.request_queue import TooManyRequests

RETRY_AFTER: Final = "2"  # seconds


class TooLarge(ClientError):
    """The body is larger than this server takes."""

    code = "too_large"


_STATUS: Final[tuple[tuple[type[HoldfastError], int], ...]] = (
    (TooManyGuesses, 429),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (ForeignOrigin, 403),
    (RequestConflict, 409),
    (SessionBusy, 409),
    (QueueFull, 429),
    (TooManyRequests, 429),
    (SessionTooLarge, 413),
    (TooLarge, 413),
    (Unavailable, 503),
    (ClientError, 400),
    (HoldfastError, 500),
)


def refused(error: HoldfastError) -> ResponseReturnValue:
    """The answer for an error, with its status."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": RETRY_AFTER} if status in (429, 503) else {}
    return jsonify(ok=False, error={"code": error.code, "message": str(error)}), status, headers


def json_body(most: int) -> Any:
    """The request's body. Raises InvalidPayload, and TooLarge beyond `most` bytes."""
    # A page of another origin can send any other type without asking first.
    if request.mimetype != "application/json":
        raise InvalidPayload("Send the payload as application/json.")
    if request.content_length is None or request.content_length > most:
        raise TooLarge(f"Send at most {most} bytes, with their Content-Length.")
    try:
        return orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError:
        raise InvalidPayload("The body is not JSON.") from None
