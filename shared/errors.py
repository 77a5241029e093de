"""All errors, grouped by whose fault they are.

The first line of the docstring is the default message, and `code` goes to clients.
"""

from typing import ClassVar

from shared.log_setup import clean


class HoldfastError(Exception):
    """Something went wrong in Holdfast."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])


# --- faults of the operator ---------------------------------------------------------------------


class SettingsError(HoldfastError):
    """The settings are wrong; correct each line and start again."""

    code = "settings"

    def __init__(self, faults: list[str]) -> None:
        faults = [clean(fault) for fault in faults]  # they quote variables and files
        super().__init__("settings:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


# --- faults of the client -----------------------------------------------------------------------


class ClientError(HoldfastError):
    """The request cannot be served as it is; change it before sending it again."""

    code = "bad_request"


class InvalidPayload(ClientError):
    """The payload does not have the documented shape."""

    code = "invalid_payload"


class UnknownProfile(ClientError):
    """There is no such profile; see the server's profiles."""

    code = "unknown_profile"


class RequestConflict(ClientError):
    """This client_request_id was used before with another payload; choose a new one."""

    code = "request_conflict"


class IdempotencyConflict(ClientError):
    """This Idempotency-Key was used before with another body; choose a new one."""

    code = "idempotency_key_conflict"


class QueueFull(ClientError):
    """Too many messages of this session are waiting; send it again when some are done."""

    code = "queue_full"


class QuotaExceeded(ClientError):
    """You have as many runs as one user may have at once; send more when some are done."""

    code = "quota"
    retry_after: ClassVar[float] = 5.0  # seconds; nobody knows when one ends


class SessionTooLarge(ClientError):
    """This session holds as much as a session may; begin a new one, or send less."""

    code = "session_too_large"


class SessionBusy(ClientError):
    """The session has a run that is not done, and the request has on_busy=reject."""

    code = "session_busy"


class ResponseInProgress(ClientError):
    """This response is continued already, and a copy of it can be made only when it is complete."""

    code = "response_in_progress"


class SessionExists(ClientError):
    """There is a session with this id; choose another one."""

    code = "session_exists"


class InvalidTitle(ClientError):
    """A session cannot have this title."""

    code = "invalid_title"


class SearchTooBroad(ClientError):
    """The search takes too long, since too much is found; use longer or more words."""

    code = "search_too_broad"


class Expired(ClientError):
    """The question was answered before, or the agent no longer waits for an answer."""

    code = "expired"


class NotFound(ClientError):
    """You have no such run or session."""

    code = "not_found"


# --- services that Holdfast needs ---------------------------------------------------------------


class Unavailable(HoldfastError):
    """A service that Holdfast needs does not answer; try again shortly."""

    code = "unavailable"


class Overloaded(Unavailable):
    """Too many runs wait already; try again in a while."""

    code = "overloaded"
    retry_after: ClassVar[float] = 10.0  # seconds: a queue of that size does not empty at once


class DatabaseUnavailable(Unavailable):
    """The database does not answer; try again shortly."""

    code = "database_unavailable"


class RedisUnavailable(Unavailable):
    """Redis does not answer; try again shortly."""

    code = "redis_unavailable"


# --- faults of Holdfast -------------------------------------------------------------------------


class ForbiddenMove(HoldfastError):
    """A run was to change its state in a way that the table of moves does not allow."""

    code = "internal"


# --- ownership of a run -------------------------------------------------------------------------


class OwnershipLost(HoldfastError):
    """This worker is no longer the owner of the run: another one is, or the run has ended."""

    code = "ownership_lost"


# --- faults of the gateway ----------------------------------------------------------------------


class GatewayError(HoldfastError):
    """The gateway answered with an error."""

    code = "gateway_error"


class GatewayUnreachable(GatewayError):
    """The request did not reach the gateway, so it may be sent again (R2)."""

    code = "gateway_unreachable"

    def __init__(self, message: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GatewayBusy(GatewayUnreachable):
    """The gateway has no capacity now (429, 503); the run stays first in line and waits (R7)."""

    code = "gateway_busy"


class GatewayTooLarge(GatewayError):
    """The gateway does not take a request of this size (413)."""

    code = "gateway_error"


class PostUncertain(GatewayError):
    """It is not known whether the gateway took the run.

    It is sent again only after proof that the gateway does not have it (R2); without that proof the
    run fails.
    """

    code = "post_uncertain"


class PostConflict(GatewayError):
    """The gateway has another attempt of this run, so it was not sent again."""

    code = "post_uncertain"


class GatewayConflict(GatewayError):
    """The gateway is not in the state that the request needs (409)."""

    code = "gateway_conflict"


class GatewayLostRun(GatewayError):
    """The gateway no longer knows the run."""

    code = "gateway_lost_run"


class GatewayNoResponse(GatewayError):
    """The gateway does not answer."""

    code = "gateway_no_response"


class GatewayUnsupported(GatewayError):
    """The gateway is too old: it has no such endpoint."""

    code = "gateway_unsupported"


class StreamBroken(GatewayError):
    """The event stream ended without a terminal event; the run may still be live."""

    code = "stream_broken"
