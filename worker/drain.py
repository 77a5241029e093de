"""Empties a worker that is to stop: its runs are read on for a while, then handed over (R22)."""

import logging
import time

from shared import runtime
from shared.db.runs.ownership import release
from shared.errors import OwnershipLost, Unavailable
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0  # for the log, before its run is handed over


def drain(services: Services) -> None:
    """Give the runs `DRAIN_SECONDS`, then hand them over. Returns at once; called by a signal."""
    services.draining = True
    runtime.spawn_from_signal(_drain, services)


def _drain(services: Services) -> None:
    deadline = time.monotonic() + services.settings.drain.total_seconds()
    log.info("worker.draining runs=%s", len(services.turns))
    while services.turns and time.monotonic() < deadline:
        time.sleep(0.1)
    for turn in list(services.turns.values()):
        hand_over(services, turn)


def hand_over(services: Services, turn: Turn) -> None:
    """Let another worker have the run now. That one polls the gateway instead of reading the
    stream, unless the gateway replays it: a stream has one reader, once (R1)."""
    turn.run_log.wait_settled(SETTLE_SECONDS)
    try:
        services.db.write(lambda tx: release(tx, turn.claim, turn.run_log.head))
        services.queue.take_over(turn.run_id)
    except (OwnershipLost, Unavailable) as error:
        log.warning("run.not_released run_id=%s error=%s", turn.run_id, type(error).__name__)
    log.info("run.handed_over run_id=%s", turn.run_id)
    turn.lose()
