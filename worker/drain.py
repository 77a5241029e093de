"""A worker that was told to stop: reads its runs to their end, hands over what is left (R22)."""

import logging
import time

from shared import runtime
from shared.db.runs.ownership import release
from shared.errors import LostRun, Unavailable
from worker.services import Parts
from worker.turn import Turn

log = logging.getLogger(__name__)


def drain(parts: Parts) -> None:
    """Give the runs `DRAIN_SECONDS`, then hand them over. Returns at once; called by a signal."""
    parts.duty.draining = True
    runtime.spawn_from_signal(_drain, parts)


def _drain(parts: Parts) -> None:
    deadline = time.monotonic() + parts.settings.drain.total_seconds()
    log.info("worker.draining runs=%s", len(parts.turns))
    while parts.turns and time.monotonic() < deadline:
        time.sleep(0.1)
    for turn in list(parts.turns.values()):
        hand_over(parts, turn)


def hand_over(parts: Parts, turn: Turn) -> None:
    """Let another worker have the run now. It will ask the gateway instead of reading the stream,
    since a stream has one reader, once (R1)."""
    turn.log.wait_settled(2.0)
    try:
        parts.db.write(lambda session: release(session, turn.claim, turn.log.head))
        parts.queue.take_over(turn.run_id)
    except (LostRun, Unavailable) as error:
        log.warning("run.not_released run_id=%s error=%s", turn.run_id, type(error).__name__)
    log.info("run.handed_over run_id=%s", turn.run_id)
    turn.lose()
