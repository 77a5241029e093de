"""What a gateway's end means here (P5)."""

import pytest

from shared.protocol.run_states import ENDED, LIVE, MOVES, OPEN, Reason, RunState, may
from worker.gateway.models import RunStatus
from worker.gateway.translate_events import GatewayEnd
from worker.outcome import Outcome, end_of_status, of_gateway


def told(name: str, *, stop_asked: bool = False, timed_out: bool = False) -> Outcome:
    end = GatewayEnd(name, "text", None, None, None)
    return of_gateway(end, stop_asked=stop_asked, timed_out_run=timed_out)


def test_a_cancellation_is_ours_only_if_a_person_asked() -> None:
    assert told("run.cancelled", stop_asked=True).state is RunState.ABORTED
    alone = told("run.cancelled")
    assert (alone.state, alone.reason) == (RunState.FAILED, Reason.GATEWAY_ERROR)


def test_a_run_that_was_stopped_by_its_deadline_has_failed() -> None:
    outcome = told("run.cancelled", stop_asked=True, timed_out=True)
    assert (outcome.state, outcome.reason) == (RunState.FAILED, Reason.TIMEOUT)


def test_an_answer_that_was_complete_before_the_stop_arrived_is_complete() -> None:
    outcome = told("run.completed", stop_asked=True)
    assert (outcome.state, outcome.finish_reason) == (RunState.COMPLETED, "stop")


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_polled_status_means_what_the_event_means(status: str) -> None:
    end = end_of_status(RunStatus(status, "text", None, None))
    polled = of_gateway(end, stop_asked=False, timed_out_run=False)
    assert polled == told(f"run.{status}")


def test_every_state_is_open_or_ended_and_no_move_leaves_an_ended_one() -> None:
    assert set(RunState) == OPEN | ENDED
    assert LIVE < OPEN
    assert not any(may(verb, state) for verb in MOVES for state in ENDED)
