"""Run states, and the moves between them. Pure.

`MOVES` is the one place that says which moves exist. `shared.db.runs.state` applies it to every
write of a run's state; the sets `LIVE`, `OPEN` and `ENDED`, which queries use, follow from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class RunState(StrEnum):
    """The state of a run, as stored in `runs.state`. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


class Reason(StrEnum):
    """Why a run ended other than well; sent to clients as `reason`."""

    WORKER_LOST = "worker_lost"
    GATEWAY_UNREACHABLE = "gateway_unreachable"
    GATEWAY_ERROR = "gateway_error"
    GATEWAY_LOST_RUN = "gateway_lost_run"
    POST_UNCERTAIN = "post_uncertain"
    TIMEOUT = "timeout"
    ABORTED = "aborted"
    START_DEADLINE = "start_deadline"
    INTERNAL = "internal"


class Move(StrEnum):
    """What may happen to the state of a run."""

    CLAIM = "claim"  # a worker becomes the owner of a queued run
    TAKE_OVER = "take_over"  # a worker becomes the owner of a run whose lease has lapsed
    PUT_BACK = "put_back"  # the gateway has no capacity for it now
    REQUEST_STOP = "request_stop"
    CANCEL = "cancel"  # it ends before any worker had it
    COMPLETE = "complete"
    FAIL = "fail"
    ABORT = "abort"


INITIAL: Final = RunState.QUEUED

#: move -> {state it may start from: state it leads to}
MOVES: Final[Mapping[Move, Mapping[RunState, RunState]]] = {
    Move.CLAIM: {RunState.QUEUED: RunState.RUNNING},
    Move.TAKE_OVER: {
        RunState.RUNNING: RunState.RUNNING,
        RunState.STOPPING: RunState.STOPPING,  # the next owner has to stop it, too
    },
    Move.PUT_BACK: {RunState.RUNNING: RunState.QUEUED},
    Move.REQUEST_STOP: {RunState.RUNNING: RunState.STOPPING},
    Move.CANCEL: {RunState.QUEUED: RunState.ABORTED},
    Move.COMPLETE: {
        RunState.RUNNING: RunState.COMPLETED,
        RunState.STOPPING: RunState.COMPLETED,  # the answer was complete before the stop arrived
    },
    Move.FAIL: {RunState.RUNNING: RunState.FAILED, RunState.STOPPING: RunState.FAILED},
    Move.ABORT: {RunState.RUNNING: RunState.ABORTED, RunState.STOPPING: RunState.ABORTED},
}

#: An owner works on these.
LIVE: Final = frozenset(MOVES[Move.TAKE_OVER])
#: Some move leaves these.
OPEN: Final = frozenset(state for starts in MOVES.values() for state in starts)
#: No move leaves these.
ENDED: Final = frozenset(RunState) - OPEN
#: The move by which an owner ends its run in that state.
END_MOVES: Final[Mapping[RunState, Move]] = {
    RunState.COMPLETED: Move.COMPLETE,
    RunState.FAILED: Move.FAIL,
    RunState.ABORTED: Move.ABORT,
}


def is_allowed(move: Move, state: str) -> bool:
    """Whether a run in `state` may make the move."""
    return state in MOVES[move]
