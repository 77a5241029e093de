"""All errors, by whose fault they are. The docstring is the default message."""

from typing import ClassVar


class HoldfastError(Exception):
    """Something went wrong in Holdfast."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])


# --- the operator's -----------------------------------------------------------------------------


class SettingsError(HoldfastError):
    """The settings are wrong; mend each line and start again."""

    code = "settings"

    def __init__(self, faults: list[str]) -> None:
        super().__init__("settings:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


# --- the client's -------------------------------------------------------------------------------


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


class QueueFull(ClientError):
    """Too many messages of this session wait already; send again when some are done."""

    code = "queue_full"


class SessionBusy(ClientError):
    """The session is working and the request said on_busy=reject."""

    code = "session_busy"


class Expired(ClientError):
    """The question was answered before, or the agent does not wait for it any more."""

    code = "expired"


class NotFound(ClientError):
    """There is no such run or session for you."""

    code = "not_found"


# --- what we stand on ---------------------------------------------------------------------------


class Unavailable(HoldfastError):
    """A service that Holdfast needs does not answer; try again shortly."""

    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database does not answer; try again shortly."""

    code = "database_unavailable"


class RedisUnavailable(Unavailable):
    """Redis does not answer; try again shortly."""

    code = "redis_unavailable"


# --- ours ---------------------------------------------------------------------------------------


class ForbiddenMove(HoldfastError):
    """A run was to change its state in a way that the table of moves does not allow."""

    code = "internal"


# --- the right to a run -------------------------------------------------------------------------


class OwnershipLost(HoldfastError):
    """This worker is no longer the owner of the run; somebody else is, or it has ended."""

    code = "ownership_lost"


# --- the gateway's ------------------------------------------------------------------------------


class GatewayError(HoldfastError):
    """The gateway answered with an error."""

    code = "gateway_error"


class GatewayUnreachable(GatewayError):
    """The gateway never had the request: it may be sent again (R2)."""

    code = "gateway_unreachable"

    def __init__(self, message: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GatewayBusy(GatewayUnreachable):
    """The gateway has no capacity now (429, 503): the run keeps its place and waits (R7)."""

    code = "gateway_busy"


class PostUncertain(GatewayError):
    """Nobody knows whether the gateway took the run, so it is not sent again (R2)."""

    code = "post_uncertain"


class GatewayConflict(GatewayError):
    """The gateway is not in the state that the request needs (409)."""

    code = "gateway_conflict"


class GatewayLostRun(GatewayError):
    """The gateway does not know the run any more."""

    code = "gateway_lost_run"


class GatewayNoResponse(GatewayError):
    """The gateway does not answer."""

    code = "gateway_no_response"


class GatewayUnsupported(GatewayError):
    """The gateway is too old: it has no such endpoint."""

    code = "gateway_unsupported"


class StreamBroken(GatewayError):
    """The event stream ended without a terminal event; the run may still be going on."""

    code = "stream_broken"
