"""Waits for the end of a run, for an answer that is given as a whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import HoldfastError
from web.api.http.errors import ApiError, fault_of
from web.api.http.openai.following import Follower
from web.readers.replay import End

#: Clients send a request again by themselves after a 5xx; the run would be started once more.
NO_RETRY: Final = {"x-should-retry": "false"}


@contextmanager
def of_accepted(run_id: str) -> Iterator[None]:
    """Around what comes after a run was accepted: an error of it names the run, and asks clients
    not to send the request again. Raises ApiError for every HoldfastError."""
    try:
        yield
    except HoldfastError as error:
        fault = fault_of(error)
        message = f"{fault.message} {_goes_on(run_id)}"
        raise ApiError(fault.status, fault.code, message, headers=NO_RETRY) from error


def wait_for_end(follower: Follower, run_id: str) -> None:
    """Return when the run has ended. Raises ApiError if this process cannot wait so long, or the
    run was deleted."""
    try:
        for step in follower:
            if isinstance(step, End):
                return
    finally:
        follower.close()
    message = f"The answer was not waited for. {_goes_on(run_id)}"
    raise ApiError(503, "draining", message, headers=NO_RETRY)


def _goes_on(run_id: str) -> str:
    return (
        f"Run {run_id} was accepted and goes on: read it under /v1/runs, or send the same request "
        "with the same Idempotency-Key again."
    )
