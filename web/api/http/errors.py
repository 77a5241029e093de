"""Errors of the HTTP API in the one envelope of Hermes and OpenAI, and which status each has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from werkzeug.exceptions import HTTPException

from shared.errors import (
    ClientError,
    Expired,
    HoldfastError,
    IdempotencyConflict,
    NotFound,
    QueueFull,
    QuotaExceeded,
    RequestConflict,
    ResponseInProgress,
    SessionBusy,
    SessionExists,
    SessionTooLarge,
    Unavailable,
)
from web.access.principal import Forbidden, ForeignOrigin, TooManyGuesses, Unauthenticated
from web.api.retry_after import retry_after
from web.sockets.rate_limit import TooManyRequests

INVALID: Final = "invalid_request_error"
RATE: Final = "rate_limit_error"
SERVER: Final = "server_error"

PREFIXES: Final = ("/v1/", "/api/", "/p/", "/health/")


class ApiError(ClientError):
    """A refusal that only HTTP knows: its status and code are given. `more`: further fields of the
    error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = code
        self.param = param
        self.headers = headers or {}
        self.more = more or {}


@dataclass(frozen=True)
class Fault:
    """The answer to an error. `retry_after`: seconds."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after: int | None = None
    more_headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The kind, in OpenAI's words."""
        if self.status == 429:
            return RATE
        return SERVER if self.status >= 500 else INVALID

    @property
    def envelope(self) -> dict[str, Any]:
        """The body."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
                **self.more,
            }
        }

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the status."""
        found = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        found |= {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return {**found, **self.more_headers}


_STATUS: Final[tuple[tuple[type[HoldfastError], int], ...]] = (
    (TooManyGuesses, 429),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (ForeignOrigin, 403),
    (NotFound, 404),
    (RequestConflict, 409),
    (IdempotencyConflict, 409),
    (SessionBusy, 409),
    (ResponseInProgress, 409),
    (SessionExists, 409),
    (Expired, 409),
    (QueueFull, 429),
    (QuotaExceeded, 429),
    (TooManyRequests, 429),
    (SessionTooLarge, 413),
    (Unavailable, 503),
    (ClientError, 400),
    (HoldfastError, 500),
)
_CODES: Final[dict[int, str]] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


def fault_of(error: HoldfastError) -> Fault:
    """The answer to an error of ours."""
    if isinstance(error, ApiError):
        status, code, param = error.status, error.error_code, error.param
    else:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        code, param = error.code, None
    wait = retry_after(error, status)
    if isinstance(error, Unauthenticated):  # as the gateway says it
        return Fault(status, "invalid_api_key", "Invalid API key", retry_after=wait)
    more_headers = error.headers if isinstance(error, ApiError) else {}
    more = error.more if isinstance(error, ApiError) else {}
    return Fault(status, code, str(error), param, wait, more_headers, more)


def fault_of_routing(error: HTTPException) -> Fault:
    """The answer to what Flask refuses: a path or a method that is not there, above all."""
    status = error.code or 500
    code = _CODES.get(status, "bad_request" if status < 500 else "internal")
    return Fault(status, code, str(error.description or error.name))


def internal() -> Fault:
    """The answer when something of ours is wrong; what it was is in the log only."""
    return Fault(500, "internal", "Something went wrong here; it has been logged.")


def is_api_path(path: str) -> bool:
    """Whether the path belongs to the HTTP API, so that errors have its envelope."""
    return f"{path}/".startswith(PREFIXES)
