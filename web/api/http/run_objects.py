"""A run in the shape of the gateway's `GET /v1/runs/{id}`. Pure."""

from typing import Any, Final

from shared.db.operations.runs_of_all import RunFacts
from shared.db.runs.run_status import RunFilter, RunStatus
from shared.hermes.profiles import DEFAULT
from shared.protocol.run_ends import end_name, usage_of
from shared.protocol.run_states import Reason, RunState

GATEWAY_MODEL: Final = "hermes-agent"  # what gateways call a model that nobody named

#: Reasons of a failed run whose work was cut off by a process that died: `interrupted`.
INTERRUPTED: Final = (Reason.WORKER_LOST, Reason.GATEWAY_LOST_RUN)

_STATUS: Final = {
    RunState.QUEUED: "queued",
    RunState.RUNNING: "running",
    RunState.STOPPING: "stopping",
    RunState.COMPLETED: "completed",
    RunState.FAILED: "failed",
    RunState.ABORTED: "cancelled",
}


def status_word(run: RunStatus | RunFacts, *, waits: bool) -> str:
    """The status. `waits`: a question of its agent is open."""
    if run.state is RunState.RUNNING and waits:
        return "waiting_for_approval"
    return word_of_state(run.state, run.reason)


def word_of_state(state: RunState, reason: str | None) -> str:
    """The status of a run that has no open question."""
    if state is RunState.FAILED and reason in INTERRUPTED:
        return "interrupted"
    return _STATUS[state]


def states_of(status: str | None) -> RunFilter:
    """The runs that have this status."""
    if status is None:
        return RunFilter()
    if status == "interrupted":
        return RunFilter(states=[RunState.FAILED], reasons=INTERRUPTED)
    without = INTERRUPTED if status == "failed" else ()
    states = [state for state, word in _STATUS.items() if word == status]
    return RunFilter(states=states, without_reasons=without)


def model_name(run: RunStatus) -> str:
    """The model that was asked for, or else what gateways call theirs."""
    return run.model or (run.profile if run.profile != DEFAULT else GATEWAY_MODEL)


def run_object(
    run: RunStatus, *, waits: bool = False, last_event: str | None = None, output: bool = True
) -> dict[str, Any]:
    """The object, without the fields that have no value. `output`: whether to have the answer."""
    name, payload = run.end if run.end is not None else (None, {})
    fields = {
        "object": "hermes.run",
        "run_id": run.id,
        "status": status_word(run, waits=waits),
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "session_id": run.session_id or run.id,  # as gateways name the session of such a run
        "model": model_name(run),
        "last_event": end_name(name, payload) if name is not None else last_event,
        "error": payload.get("error"),
        "reason": run.reason,
        "queue_position": run.queue_position,
        "attempts": run.attempts,
    }
    if run.state is RunState.COMPLETED:
        fields["usage"] = usage_of(run.usage)
        fields["output"] = (run.output or "") if output else None
    elif output and run.output:
        fields["output"] = run.output
    return {key: value for key, value in fields.items() if value is not None}
