"""Follows a gateway run to its end: the stream while there is one, else by asking (R1, R4, R8)."""

import logging
import time

from shared.db.runs.stop import is_stop_asked
from shared.errors import GatewayError, GatewayLostRun, StreamBroken
from shared.protocol.events import Payload
from shared.protocol.run_states import Reason
from worker.event_log.stream_position import POLLING, REATTACHED, REPLAY, Replay, StreamPosition
from worker.gateway.delta_merge import merge_deltas
from worker.gateway.models import RunStatus
from worker.gateway.translate_events import GatewayEnd, gateway_end, translate
from worker.outcome import (
    CANCELLED,
    Outcome,
    aborted,
    end_of_status,
    failed,
    of_gateway,
    timed_out,
)
from worker.run.run_clock import WAITING, RunClock
from worker.run.watchdog import Limits, Watch, say_stopping, send_stop
from worker.services import Services
from worker.transcript.tail import Tail, output_tail, tail
from worker.turn import Turn

log = logging.getLogger(__name__)

POLL = 2.0  # seconds between questions while there is no stream
REOPEN = 0.2  # seconds before a stream that may be replayed is opened again
MOST_FRUITLESS = 3  # readings of it that brought nothing
GATEWAY_AWAY = 120.0  # seconds without any answer before the run is given up


def follow(services: Services, turn: Turn, *, open_stream: bool) -> Outcome:
    """The run's outcome. `open_stream`: nobody has read its stream yet.

    Raises LostRun when the run belongs to somebody else meanwhile.
    """
    settings = services.settings
    limits = Limits(
        silence=settings.watchdog.total_seconds(), stop=settings.stop_timeout.total_seconds()
    )
    clock = RunClock(turn.began, settings.run_deadline.total_seconds())
    replayed = not open_stream and _replays(turn)
    if replayed:
        turn.run_log.add(REATTACHED, {"mode": REPLAY})
    elif not open_stream:
        turn.run_log.add(REATTACHED, {"mode": POLLING})
    watch = Watch(turn, limits, clock)
    watch.start()
    try:
        outcome = _stream(services, turn, watch) if open_stream or replayed else None
    finally:
        watch.finish()
    turn.check()
    return outcome or _poll(services, turn, limits, clock, told=not (open_stream or replayed))


def _replays(turn: Turn) -> bool:
    """Whether the stream may be opened once more, and we know where we are in it (R1)."""
    return turn.run_log.position().certain and turn.gateway.replays()


def _stream(services: Services, turn: Turn, watch: Watch) -> Outcome | None:
    """Read the stream; if it breaks and the gateway replays it, again, skipping what is known.

    None if it ended without telling the end, and nothing is gained by opening it again.
    """
    fruitless = 0
    while True:
        before = turn.run_log.position()
        outcome = _read(services, turn, watch, before)
        if outcome is not None or turn.lost or watch.gave_up:
            return outcome
        fruitless = 0 if turn.run_log.position() != before else fruitless + 1
        if fruitless == MOST_FRUITLESS or not _replays(turn):
            return None
        turn.run_log.add(REATTACHED, {"mode": REPLAY})
        time.sleep(REOPEN)


def _read(services: Services, turn: Turn, watch: Watch, known: StreamPosition) -> Outcome | None:
    """Pass on what the stream has beyond `known`; None if it broke."""
    assert turn.gateway_run_id is not None
    if not turn.stream_noted:
        services.note_attempt(turn.claim, str(turn.ephemeral_id), stream_opened=True)
        turn.stream_noted = True
    replay = Replay(known)
    max_bytes = services.settings.event_max_bytes
    end: GatewayEnd | None = None

    def take(events: list[Payload]) -> bool:
        nonlocal end
        watch.heard()
        for event in merge_deltas(events):
            end = gateway_end(event)
            if end is not None:
                return True
            for name, payload in translate(event, max_bytes):
                new = replay.rest(name, payload)
                if new is not None:
                    turn.run_log.add(name, new)
        return False

    try:
        turn.stream = turn.gateway.events(turn.gateway_run_id)
        watch.heard()
        turn.stream.follow(take)
    except (StreamBroken, GatewayLostRun) as error:
        log.info("stream.broken run_id=%s error=%s", turn.run_id, error)
    return _ended(services, turn, end) if end is not None else None


def _ended(services: Services, turn: Turn, end: GatewayEnd) -> Outcome:
    asked = end.name == CANCELLED and _stop_was_asked(services, turn)
    return of_gateway(end, stop_asked=asked, timed_out_run=turn.timed_out)


def _stop_was_asked(services: Services, turn: Turn) -> bool:
    """Whether the gateway gave up because it was told to; clients then hear of the stop (R9).

    The row decides: another process may have stopped the gateway before this one was told.
    """
    if not turn.stop_asked.is_set():
        if not services.single(lambda tx: is_stop_asked(tx, turn.run_id)):
            return False
        turn.stop_sent = True  # by somebody else
        turn.ask_stop()
    say_stopping(turn)
    return True


def _poll(
    services: Services, turn: Turn, limits: Limits, clock: RunClock, *, told: bool
) -> Outcome:
    """Ask for the status until it is terminal; show finished steps meanwhile (R4)."""
    assert turn.gateway_run_id is not None
    answered = time.monotonic()
    status: RunStatus | None = None
    while True:
        turn.check()
        if clock.tick(waiting=status is not None and status.status == WAITING):
            turn.timed_out = True
            turn.ask_stop()
        outcome = _given_up(turn, limits, answered)
        if outcome is not None:
            return outcome
        try:
            status = turn.gateway.status(turn.gateway_run_id)
            answered = time.monotonic()
            if status is not None and status.terminal:
                if not show_tail(turn, told=told):
                    _show(turn, output_tail(_shown(turn), status.output or ""), told=told)
                return _ended(services, turn, end_of_status(status))
            if status is None:
                return _unknown_run(services, turn, told=told)
            if not told:
                told = True
                turn.run_log.add(REATTACHED, {"mode": POLLING})
            show_tail(turn, told=told)
        except GatewayError as error:
            log.info("poll.failed run_id=%s error=%s", turn.run_id, error)
        turn.changed.clear()
        turn.changed.wait(POLL)


def _given_up(turn: Turn, limits: Limits, answered: float) -> Outcome | None:
    now = time.monotonic()
    if turn.stop_asked.is_set():
        send_stop(turn)
        if now - turn.stop_asked_at > limits.stop:
            return timed_out(gateway_done=False) if turn.timed_out else aborted(gateway_done=False)
    if now - answered > GATEWAY_AWAY:
        return failed(
            Reason.GATEWAY_UNREACHABLE, "The gateway does not answer.", gateway_done=False
        )
    return None


def _unknown_run(services: Services, turn: Turn, *, told: bool) -> Outcome:
    """The gateway has forgotten the run, most likely by a restart; its transcript may be there."""
    show_tail(turn, told=told)
    if turn.timed_out:
        return timed_out(gateway_done=True)
    if _stop_was_asked(services, turn):
        return aborted(gateway_done=True)
    return failed(
        Reason.GATEWAY_LOST_RUN,
        "The gateway does not know the run any more; the text so far is kept.",
    )


def show_tail(turn: Turn, *, told: bool) -> bool:
    """Add what the gateway's transcript has beyond the log (R5); False if there is none."""
    if turn.ephemeral_id is None or not turn.run_log.wait_settled(5.0):
        return False
    try:
        transcript = turn.gateway.transcript(turn.ephemeral_id)
    except GatewayError:
        return False
    if transcript is None or transcript.session_id != turn.ephemeral_id:
        return False
    _show(turn, tail(_shown(turn), transcript.messages), told=told)
    return True


def _shown(turn: Turn) -> list[Payload]:
    return turn.run_log.transcript.messages()


def _show(turn: Turn, found: Tail, *, told: bool) -> None:
    """Say first that it comes by asking, since from then on the log does not tell any more where in
    the stream it is."""
    if found.events and not told:
        turn.run_log.add(REATTACHED, {"mode": POLLING})
    for name, payload in found.events:
        turn.run_log.add(name, payload)
