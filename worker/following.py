"""Follows a gateway run to its end: the stream while there is one, else by asking (R1, R4, R8)."""

import logging
import time

from shared.errors import GatewayError, GatewayLostRun, StreamBroken
from shared.runs import Reason
from worker.gateway.merging import merge_deltas
from worker.gateway.translation import GatewayEnd, gateway_end, translate
from worker.joining import tail
from worker.outcome import Outcome, aborted, failed, of_gateway, of_status, timed_out
from worker.parts import Parts
from worker.turn import Turn
from worker.watch import Limits, Watch, send_stop

log = logging.getLogger(__name__)

POLL = 2.0  # seconds between questions while there is no stream
GATEWAY_AWAY = 120.0  # seconds without any answer before the run is given up


def follow(parts: Parts, turn: Turn, *, open_stream: bool) -> Outcome:
    """The run's outcome. Raises LostRun when the run belongs to somebody else meanwhile."""
    settings = parts.settings
    limits = Limits(
        silence=settings.watchdog.total_seconds(),
        stop=settings.stop_timeout.total_seconds(),
        run=settings.run_deadline.total_seconds(),
    )
    if not open_stream:
        turn.log.add("run.reattached", {"mode": "polling"})
    watch = Watch(turn, limits)
    watch.start()
    try:
        outcome = _read(parts, turn, watch) if open_stream else None
    finally:
        watch.finish()
    turn.check()
    return outcome or _poll(turn, limits, told=not open_stream)


def _read(parts: Parts, turn: Turn, watch: Watch) -> Outcome | None:
    """Pass on the stream's events; None if it ended without telling the end."""
    assert turn.gateway_run_id is not None
    parts.note_attempt(turn.claim, stream_opened=True)
    max_bytes = parts.settings.event_max_bytes
    add = turn.log.add
    try:
        turn.stream = turn.gateway.events(turn.gateway_run_id)
        for events in turn.stream:
            watch.heard()
            for event in merge_deltas(events):
                end = gateway_end(event)
                if end is not None:
                    return _ended(turn, end)
                for name, payload in translate(event, max_bytes):
                    add(name, payload)
    except (StreamBroken, GatewayLostRun) as error:
        log.info("stream.broken run_id=%s error=%s", turn.run_id, error)
    return None


def _ended(turn: Turn, end: GatewayEnd) -> Outcome:
    return of_gateway(end, stop_asked=turn.stop_asked.is_set(), timed_out_run=turn.timed_out)


def _poll(turn: Turn, limits: Limits, *, told: bool) -> Outcome:
    """Ask for the status until it is terminal; show finished steps meanwhile (R4)."""
    assert turn.gateway_run_id is not None
    answered = time.monotonic()
    while True:
        turn.check()
        outcome = _given_up(turn, limits, answered)
        if outcome is not None:
            return outcome
        try:
            status = turn.gateway.status(turn.gateway_run_id)
            answered = time.monotonic()
            if status is not None and status.terminal:
                show_tail(turn)
                return of_status(
                    status, stop_asked=turn.stop_asked.is_set(), timed_out_run=turn.timed_out
                )
            if status is None:
                return _unknown_run(turn)
            if not told:
                told = True
                turn.log.add("run.reattached", {"mode": "polling"})
            show_tail(turn)
        except GatewayError as error:
            log.info("poll.failed run_id=%s error=%s", turn.run_id, error)
        turn.changed.clear()
        turn.changed.wait(POLL)


def _given_up(turn: Turn, limits: Limits, answered: float) -> Outcome | None:
    now = time.monotonic()
    if now - turn.began > limits.run:
        turn.timed_out = True
        turn.ask_stop()
    if turn.stop_asked.is_set():
        send_stop(turn)
        if now - turn.stop_asked_at > limits.stop:
            return timed_out(gateway_done=False) if turn.timed_out else aborted(gateway_done=False)
    if now - answered > GATEWAY_AWAY:
        return failed(
            Reason.GATEWAY_UNREACHABLE, "The gateway does not answer.", gateway_done=False
        )
    return None


def _unknown_run(turn: Turn) -> Outcome:
    """The gateway has forgotten the run, most likely by a restart; its transcript may be there."""
    show_tail(turn)
    if turn.stop_asked.is_set():
        return aborted(gateway_done=True)
    return failed(
        Reason.GATEWAY_LOST_RUN,
        "The gateway does not know the run any more; the text so far is kept.",
    )


def show_tail(turn: Turn) -> None:
    """Add what the gateway's transcript has beyond the log (R5)."""
    if turn.ephemeral_id is None or not turn.log.wait_settled(5.0):
        return
    try:
        transcript = turn.gateway.transcript(turn.ephemeral_id)
    except GatewayError:
        return
    if transcript is None or transcript.session_id != turn.ephemeral_id:
        return
    for name, payload in tail(turn.log.transcript.messages(), transcript.messages).events:
        turn.log.add(name, payload)
