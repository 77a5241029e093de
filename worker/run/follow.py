"""Follows a gateway's run to its end: reads its stream while that is possible, else polls (R1, R8).

Problem: a gateway gives each event of a stream to one reader only, streams break, and an earlier
owner may have read a part. Idea: one mode. A stream that was never opened is read. One that was
opened is read again only from a gateway that replays it, and only if the log says exactly where it
stands in the stream. Everything else is polled: status and transcript have no position.
Invariant: modes change only towards polling, which ends every time: with the gateway's end, with a
stop that was not heeded, or when the gateway is away for too long.
"""

from shared.db.runs.stop import is_stop_asked
from shared.protocol.run_states import Reason
from worker.gateway.translate_events import GatewayEnd
from worker.outcome import Outcome, aborted, failed, gave_up, of_gateway, timed_out
from worker.run.poll_status import poll_status
from worker.run.read_stream import can_replay, read_stream
from worker.run.watchdog import Limits, RunClock, Watchdog
from worker.services import Services
from worker.turn import FollowMode, Turn


def follow(services: Services, turn: Turn) -> Outcome:
    """The run's outcome; what the gateway brings goes into the run's log on the way.

    Raises OwnershipLost when the run has another owner meanwhile, DatabaseUnavailable.
    """
    limits = Limits.of(services.settings)
    clock = RunClock(turn.began, limits.work)
    turn.switch_mode(_first_mode(turn))
    end: GatewayEnd | Outcome | None = None
    if turn.follow_mode is not FollowMode.POLL:
        end = _read_watched(services, turn, Watchdog(turn, limits, clock))
    turn.check()
    end = end or poll_status(turn, limits, clock)
    if end is None:
        return _forgotten(services, turn)
    return end if isinstance(end, Outcome) else _outcome(services, turn, end)


def _first_mode(turn: Turn) -> FollowMode:
    if not turn.stream_opened_before:
        return FollowMode.READ
    return FollowMode.REPLAY if can_replay(turn) else FollowMode.POLL


def _read_watched(services: Services, turn: Turn, watchdog: Watchdog) -> GatewayEnd | None:
    watchdog.start()
    try:
        return read_stream(services, turn, watchdog)
    finally:
        watchdog.stop()


def _outcome(services: Services, turn: Turn, end: GatewayEnd) -> Outcome:
    stopped = gave_up(end) and _was_stop_requested(services, turn)
    return of_gateway(end, stop_requested=stopped, timed_out_run=turn.timed_out)


def _was_stop_requested(services: Services, turn: Turn) -> bool:
    """Whether the gateway gave up because it was asked to; clients are then shown the stop (R9).

    The row decides: another process may have stopped the gateway before this one was notified.
    """
    if not turn.stop_requested:
        if not services.patient_db.single(lambda tx: is_stop_asked(tx, turn.run_id)):
            return False
        turn.stop_sent = True  # by another process
        turn.request_stop()
    turn.announce_stop()
    return True


def _forgotten(services: Services, turn: Turn) -> Outcome:
    """The gateway does not know the run any more, most likely because it was restarted."""
    if turn.timed_out:
        return timed_out(gateway_done=True)
    if _was_stop_requested(services, turn):
        return aborted(gateway_done=True)
    return failed(
        Reason.GATEWAY_LOST_RUN,
        "The gateway does not know the run any more; the text so far is kept.",
    )
