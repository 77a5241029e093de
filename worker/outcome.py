"""How a run ended, before it is written down. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from shared.protocol.events import RUN_COMPLETED, RUN_FAILED
from shared.protocol.run_states import Reason, RunState
from worker.gateway.models import RunStatus
from worker.gateway.translate_events import GatewayEnd

RUN_INTERRUPTED = "run.interrupted"  # newer gateways say so of what they work on at their end


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    `error` is for people. `gateway_done`: the gateway works on the run no more. `resync`: clients
    are advised to read the session again.
    """

    state: RunState
    finish_reason: str = "stop"
    reason: Reason | None = None
    error: str | None = None
    output: str | None = None
    usage: dict[str, Any] | None = None
    gateway_done: bool = True
    resync: bool = False

    def with_resync(self) -> "Outcome":
        """The same outcome with `resync`."""
        return replace(self, resync=True)


def failed(reason: Reason, error: str, *, gateway_done: bool = True) -> Outcome:
    """A failure of that kind."""
    return Outcome(
        RunState.FAILED,
        finish_reason="error",
        reason=reason,
        error=error,
        gateway_done=gateway_done,
    )


def aborted(*, gateway_done: bool) -> Outcome:
    """A person stopped it."""
    return Outcome(
        RunState.ABORTED,
        finish_reason="aborted",
        reason=Reason.ABORTED,
        gateway_done=gateway_done,
    )


def timed_out(*, gateway_done: bool) -> Outcome:
    """It ran for longer than a run may."""
    return failed(
        Reason.TIMEOUT, "The run took longer than a run may take.", gateway_done=gateway_done
    )


def gave_up(end: GatewayEnd) -> bool:
    """Whether the gateway stopped the run before it had completed or failed."""
    return end.name not in (RUN_COMPLETED, RUN_FAILED)


def of_gateway(end: GatewayEnd, *, stop_requested: bool, timed_out_run: bool) -> Outcome:
    """What the gateway's own end means here (P5): a run that it gave up was aborted if a person
    requested the stop; else it has failed."""
    if end.name == RUN_COMPLETED:
        return Outcome(
            RunState.COMPLETED,
            finish_reason=end.finish_reason or "stop",
            output=end.output,
            usage=end.usage,
        )
    if gave_up(end) and timed_out_run:
        return timed_out(gateway_done=True)
    if gave_up(end) and stop_requested:
        return aborted(gateway_done=True)
    if end.name == RUN_INTERRUPTED:
        error = end.error or "The gateway was shut down in the middle of the run."
        return failed(Reason.GATEWAY_LOST_RUN, error)
    error = end.error or f"The gateway ended the run ({end.name})."
    return failed(Reason.GATEWAY_ERROR, error)


def end_of_status(status: RunStatus) -> GatewayEnd:
    """The end that a polled, terminal status stands for."""
    return GatewayEnd(f"run.{status.status}", status.output, status.usage, None, status.error)
