"""Reads a gateway's event stream into the run's log (R1).

Problem: a stream breaks now and then, and a gateway that replays it sends it from the start again,
cut into events differently. Idea: count how many characters of deltas and how many other events of
the stream the log has (`StreamPosition`), and leave out so many of what comes again
(`ReplayFilter`).
Invariant: each piece of the stream gets into the log once and in order; a replay that is not what
was read before breaks the stream, and the run is polled.
"""

import logging
import time

from shared.db.runs.attempts import note_attempt
from shared.errors import GatewayLostRun, StreamBroken
from shared.protocol.events import Payload
from worker.event_log.stream_position import ReplayFilter, StreamPosition
from worker.gateway.delta_merge import merge_deltas
from worker.gateway.translate_events import GatewayEnd, gateway_end, translate
from worker.run.watchdog import Watchdog
from worker.services import Services
from worker.turn import FollowMode, Turn

log = logging.getLogger(__name__)

REOPEN = 0.2  # seconds before a stream that may be replayed is opened again
MOST_FRUITLESS = 3  # readings of it that brought nothing


def can_replay(turn: Turn) -> bool:
    """Whether the stream may be opened once more, and the log says where it stands in it (R1)."""
    return turn.run_log.position().certain and turn.gateway.replays()


def read_stream(services: Services, turn: Turn, watchdog: Watchdog) -> GatewayEnd | None:
    """The end that the stream brings. If it breaks and the gateway replays it, it is read again.

    None if it ended without an end, and nothing is gained by opening it again.
    """
    fruitless = 0
    while True:
        before = turn.run_log.position()
        end = _read_once(services, turn, watchdog, before)
        if end is not None or turn.lost or watchdog.gave_up:
            return end
        fruitless = 0 if turn.run_log.position() != before else fruitless + 1
        if fruitless == MOST_FRUITLESS or not can_replay(turn):
            return None
        turn.switch_mode(FollowMode.REPLAY)
        time.sleep(REOPEN)


def _read_once(
    services: Services, turn: Turn, watchdog: Watchdog, position: StreamPosition
) -> GatewayEnd | None:
    """Open the stream and log what it has beyond `position`. None if it broke."""
    assert turn.gateway_run_id is not None
    _note_opened(services, turn)
    replay = ReplayFilter(position)
    max_bytes = services.settings.event_max_bytes
    end: GatewayEnd | None = None

    def on_events(events: list[Payload]) -> bool:
        nonlocal end
        watchdog.note_event()
        for event in merge_deltas(events):
            end = gateway_end(event)
            if end is not None:
                return True
            for name, payload in translate(event, max_bytes):
                new = replay.new_part(name, payload)
                if new is not None:
                    turn.run_log.add(name, new)
        return False

    try:
        stream = turn.signals.stream = turn.gateway.events(turn.gateway_run_id)
        watchdog.note_event()
        stream.follow(on_events)
    except (StreamBroken, GatewayLostRun) as error:
        log.info("stream.broken run_id=%s error=%s", turn.run_id, error)
    finally:
        turn.signals.stream = None  # it holds the turn by its callback
    return end


def _note_opened(services: Services, turn: Turn) -> None:
    """Write down that the stream is opened, before it is: a later owner must not open it (R1)."""
    if turn.stream_noted:
        return
    attempt = str(turn.ephemeral_id)
    services.patient_db.single(lambda tx: note_attempt(tx, turn.claim, attempt, stream_opened=True))
    turn.stream_noted = True
