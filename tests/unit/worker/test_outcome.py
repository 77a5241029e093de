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


def test_a_run_that_the_gateway_interrupted_at_its_own_end_is_lost() -> None:
    alone = outcome_of("run.interrupted")
    assert (alone.state, alone.reason) == (RunState.FAILED, Reason.GATEWAY_LOST_RUN)
    assert alone.gateway_done
    assert "shut down" in str(alone.error)
    said = GatewayEnd("run.interrupted", None, None, None, "The gateway restarted.")
    outcome = of_gateway(said, stop_requested=False, timed_out_run=False)
    assert outcome.error == "The gateway restarted."


@pytest.mark.parametrize("name", ["run.interrupted", "run.expired"])
def test_one_that_a_person_or_the_deadline_had_stopped_meanwhile_ends_as_that(name: str) -> None:
    assert outcome_of(name, stop_requested=True).state is RunState.ABORTED
    assert outcome_of(name, stop_requested=True, timed_out=True).reason is Reason.TIMEOUT


def test_a_failure_stays_one_though_a_person_requested_the_stop() -> None:
    assert outcome_of("run.failed", stop_requested=True).reason is Reason.GATEWAY_ERROR


@pytest.mark.parametrize(
    ("status", "last_event", "over"),
    [
        ("interrupted", None, True),
        ("interrupted", "run.stopping", True),
        ("expired", "run.expired", True),
        ("expired", "message.delta", False),
        ("waiting_for_input", "input.request", False),
        ("stopping", "run.stopping", False),
        ("running", "run.running", False),
        ("", None, False),
        ("", "run.", False),
    ],
)
def test_which_states_of_gateways_to_come_are_ends(
    status: str, last_event: str | None, *, over: bool
) -> None:
    assert RunStatus(status, None, None, None, last_event).terminal is over


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "interrupted"])
def test_a_polled_status_means_what_the_event_means(status: str) -> None:
    end = end_of_status(RunStatus(status, "text", None, None))
    polled = of_gateway(end, stop_requested=False, timed_out_run=False)
    assert polled == outcome_of(f"run.{status}")
