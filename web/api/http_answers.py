"""What HTTP requests are answered with when they are refused: `{ok: false, error}`."""

from typing import Final

from flask import jsonify
from flask.typing import ResponseReturnValue

from shared.errors import (
    ClientError,
    HoldfastError,
    QueueFull,
    QuotaExceeded,
    RequestConflict,
    SessionBusy,
    SessionTooLarge,
    Unavailable,
)
from web.access.principal import Forbidden, ForeignOrigin, TooManyGuesses, Unauthenticated
from web.api.request_body import TooLarge
from web.api.retry_after import retry_after
from web.sockets.rate_limit import TooManyRequests

_STATUS: Final[tuple[tuple[type[HoldfastError], int], ...]] = (
    (TooManyGuesses, 429),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (ForeignOrigin, 403),
    (RequestConflict, 409),
    (SessionBusy, 409),
    (QueueFull, 429),
    (QuotaExceeded, 429),
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
    wait = retry_after(error, status)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return jsonify(ok=False, error={"code": error.code, "message": str(error)}), status, headers
