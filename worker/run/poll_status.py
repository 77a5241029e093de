"""Asks a gateway for a run's status until it has ended, and shows its finished steps (R4, R5).

Problem: a stream that was lost cannot be read on, but the run goes on. Idea: the status says
whether it has ended, and the transcript of its session grows with each step; what it has beyond the
log is added to the log. Invariant: what clients were shown is only continued, never repeated or
changed; what still waits to be sent counts as shown. Before the first such addition
`run.reattached` says that live text pauses, since from then on the log does not say any more where
in the stream it stands. What is not shown before the end is shown only to who reads the session
again, so a gateway that has ended the run and fails to give the transcript is asked again for a
while.
"""

import logging
import time

from shared.errors import GatewayError
from shared.protocol.events import Payload
from shared.protocol.run_states import Reason
from worker.gateway.models import RunStatus
from worker.gateway.transcripts import read_steps
from worker.gateway.translate_events import GatewayEnd
from worker.outcome import Outcome, aborted, end_of_status, failed, timed_out
from worker.run.watchdog import Limits, RunClock, is_stop_overdue, is_waiting, send_stop
from worker.transcript.tail import Tail, output_tail, tail
from worker.turn import FollowMode, Turn

log = logging.getLogger(__name__)

POLL_EVERY = 2.0  # seconds
LAST_LOOK = 5.0  # seconds for which the transcript is asked for once the run has ended
LAST_LOOK_EVERY = 0.5  # seconds
GATEWAY_AWAY = 120.0  # seconds without any answer before the run is given up


def poll_status(turn: Turn, limits: Limits, clock: RunClock) -> GatewayEnd | Outcome | None:
    """The gateway's end of the run; an Outcome if the gateway was not waited for any longer; None
    if it does not know the run. Raises OwnershipLost."""
    assert turn.gateway_run_id is not None
    answered_at = time.monotonic()
    status: RunStatus | None = None
    while True:
        turn.check()
        if clock.tick(waiting=is_waiting(status)):
            turn.time_out()
        given_up = _given_up(turn, limits, answered_at)
        if given_up is not None:
            return given_up
        try:
            status = turn.gateway.status(turn.gateway_run_id)
            answered_at = time.monotonic()
            if status is None or status.terminal:
                return _ended(turn, status)
            turn.switch_mode(FollowMode.POLL)
            _show_tail(turn, stopped=turn.stop_requested)
        except GatewayError as error:
            log.info("poll.failed run_id=%s error=%s", turn.run_id, error)
        turn.pause(POLL_EVERY)


def _given_up(turn: Turn, limits: Limits, answered_at: float) -> Outcome | None:
    if turn.stop_requested:
        send_stop(turn)
        if is_stop_overdue(turn, limits):
            return timed_out(gateway_done=False) if turn.timed_out else aborted(gateway_done=False)
    if time.monotonic() - answered_at > GATEWAY_AWAY:
        return failed(
            Reason.GATEWAY_UNREACHABLE, "The gateway does not answer.", gateway_done=False
        )
    return None


def _ended(turn: Turn, status: RunStatus | None) -> GatewayEnd | None:
    """Show what is still missing; without a transcript, the rest of the answer at least."""
    stopped = turn.stop_requested or (status is not None and status.status != "completed")
    is_shown = _show_last_tail(turn, stopped=stopped)
    if status is None:
        return None
    if not is_shown:
        _show(turn, output_tail(_shown(turn), status.output or ""))
    return end_of_status(status)


def _show_last_tail(turn: Turn, *, stopped: bool) -> bool:
    """The same as `_show_tail`, tried for a while; a run that was stopped ends at once. False, too,
    if the transcript could not be read. Raises OwnershipLost."""
    deadline = time.monotonic() + LAST_LOOK
    while True:
        try:
            return _show_tail(turn, stopped=stopped)
        except GatewayError as error:
            log.info("tail.unread run_id=%s error=%s", turn.run_id, error)
        if stopped or turn.stop_requested or time.monotonic() > deadline:
            return False
        turn.pause(LAST_LOOK_EVERY)
        turn.check()


def _show_tail(turn: Turn, *, stopped: bool) -> bool:
    """Add what the gateway's transcript has beyond the log (R5); False if it has no answer yet.
    Raises GatewayError."""
    if turn.ephemeral_id is None:
        return False
    transcript = read_steps(turn.gateway, turn.ephemeral_id)
    if transcript is None or transcript.session_id != turn.ephemeral_id:
        return False
    _show(turn, tail(_shown(turn), transcript.messages, stopped=stopped))
    # An old gateway writes the whole turn at its end.
    return any(message.get("role") != "user" for message in transcript.messages)


def _shown(turn: Turn) -> list[Payload]:
    return turn.run_log.everything_added().messages()


def _show(turn: Turn, found: Tail) -> None:
    if found.events:
        turn.switch_mode(FollowMode.POLL)
    for name, payload in found.events:
        turn.run_log.add(name, payload)
