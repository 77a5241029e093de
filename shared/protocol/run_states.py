"""Run states, and the moves between them. Pure."""

from enum import StrEnum
from typing import Final


class RunState(StrEnum):
    """Where a run stands. The last three are final."""

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
    STALLED = "stalled"
    TIMEOUT = "timeout"
    ABORTED = "aborted"
    QUEUE_FULL = "queue_full"
    START_DEADLINE = "start_deadline"
    INTERNAL = "internal"


LIVE: Final = frozenset({RunState.RUNNING, RunState.STOPPING})
ENDED: Final = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.ABORTED})
OPEN: Final = frozenset(RunState) - ENDED

#: verb -> (states it may start from, state it leads to)
MOVES: Final[dict[str, tuple[frozenset[RunState], RunState]]] = {
    "claim": (frozenset({RunState.QUEUED}), RunState.RUNNING),
    "take_over": (LIVE, RunState.RUNNING),
    "put_back": (frozenset({RunState.RUNNING}), RunState.QUEUED),
    "ask_stop": (frozenset({RunState.RUNNING}), RunState.STOPPING),
    "cancel": (frozenset({RunState.QUEUED}), RunState.ABORTED),
    "complete": (LIVE, RunState.COMPLETED),
    "fail": (LIVE, RunState.FAILED),
    "abort": (LIVE, RunState.ABORTED),
}


def may(verb: str, state: RunState) -> bool:
    """Whether a run in `state` may make the move."""
    return state in MOVES[verb][0]
