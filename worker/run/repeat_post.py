"""Sends a POST again whose answer was lost, to a gateway that keeps its key (R2).

Problem: a POST without an answer may have arrived, and most gateways would do the run twice if it
came again. Idea: newer ones remember the key that comes with a POST, and answer the same request
with the run that they have. Whether a gateway is one of them it says itself, and it is asked anew
before each repetition, since another one may stand in its place by now. Invariant: only the same
request is sent again, with the same key, and only to a gateway that says that it keeps keys through
a restart; a gateway that has another request under the key refuses this one.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from shared.errors import GatewayError, GatewayNoResponse, GatewayUnreachable, PostUncertain
from shared.protocol.run_states import Reason
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between tries


def post_again(services: Services, turn: Turn, body: Mapping[str, Any]) -> str | None:
    """The gateway's id of the run; None if it keeps no keys, has another request under this one,
    refuses it, or does not answer within START_DEADLINE, or if the run is to stop.

    Raises OwnershipLost.
    """
    deadline = time.monotonic() + services.settings.start_deadline.total_seconds()
    announced = False
    while not turn.stop_requested:
        turn.check()
        try:
            if not turn.gateway.capabilities().repeats:
                return None
            if not announced:
                announced = True
                reason = {"reason": str(Reason.POST_UNCERTAIN), "delay": 0.0}
                turn.run_log.add("run.retrying", reason)
            return turn.gateway.post_run(turn.run_id, body)
        except (GatewayNoResponse, GatewayUnreachable, PostUncertain) as error:
            log.info("post.unanswered run_id=%s error=%s", turn.run_id, error)
        except GatewayError as error:
            log.info("post.not_repeated run_id=%s error=%s", turn.run_id, error)
            return None
        if time.monotonic() > deadline:
            return None
        turn.pause(PAUSE)
    return None
