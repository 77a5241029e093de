"""What a gateway's end means here (P5)."""

import pytest

from shared.protocol.run_states import Reason, RunState
from worker.gateway.models import RunStatus
from worker.gateway.translate_events import GatewayEnd
from worker.outcome import Outcome, end_of_status, of_gateway


def outcome_of(name: str, *, stop_requested: bool = False, timed_out: bool = False) -> Outcome:
    end = GatewayEnd(name, "text", None, None, None)
    return of_gateway(end, stop_requested=stop_requested, timed_out_run=timed_out)


def test_a_cancellation_is_ours_only_if_a_person_asked() -> None:
    assert outcome_of("run.cancelled", stop_requested=True).state is RunState.ABORTED
    alone = outcome_of("run.cancelled")
    assert (alone.state, alone.reason) == (RunState.FAILED, Reason.GATEWAY_ERROR)


def test_a_run_that_was_stopped_by_its_deadline_has_failed() -> None:
    outcome = outcome_of("run.cancelled", stop_requested=True, timed_out=True)
    assert (outcome.state, outcome.reason) == (RunState.FAILED, Reason.TIMEOUT)


def test_an_answer_that_was_complete_before_the_stop_arrived_is_complete() -> None:
    outcome = outcome_of("run.completed", stop_requested=True)
    assert (outcome.state, outcome.finish_reason) == (RunState.COMPLETED, "stop")


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_polled_status_means_what_the_event_means(status: str) -> None:
    end = end_of_status(RunStatus(status, "text", None, None))
    polled = of_gateway(end, stop_requested=False, timed_out_run=False)
    assert polled == outcome_of(f"run.{status}")
