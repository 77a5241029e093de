"""Waits for the end of a run, for an answer that is given as a whole."""

from typing import Final

from web.api.http.errors import ApiError
from web.api.http.openai.following import Follower
from web.readers.replay import End

#: Clients send a request again by themselves after a 5xx; the run would be started once more.
NO_RETRY: Final = {"x-should-retry": "false"}


def wait_for_end(follower: Follower, run_id: str) -> None:
    """Return when the run has ended. Raises ApiError if this process cannot wait so long, or the
    run was deleted."""
    try:
        for step in follower:
            if isinstance(step, End):
                return
    finally:
        follower.close()
    message = (
        f"The answer was not waited for, and run {run_id} goes on. Read it under /v1/runs, or send "
        "the same request with the same Idempotency-Key again."
    )
    raise ApiError(503, "draining", message, headers=NO_RETRY)
