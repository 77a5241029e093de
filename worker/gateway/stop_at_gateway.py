"""Asks a gateway to stop a run: the only place that does (R9).

A stop is a request: the gateway acknowledges it at once and ends the run later, so the run's
status, or its event stream, says when it is over.
"""

import logging
import time

from shared.errors import GatewayError
from worker.gateway.client import GatewayClient

log = logging.getLogger(__name__)

POLL = 0.2  # seconds between questions for the status


def stop_at_gateway(gateway: GatewayClient, gateway_run_id: str, run_id: str) -> bool:
    """POST /stop. False if the gateway does not know the run. Raises GatewayError."""
    known = gateway.stop_run(gateway_run_id)
    log.info("run.stop_sent run_id=%s gateway_run_id=%s known=%s", run_id, gateway_run_id, known)
    return known


def try_stop(gateway: GatewayClient, gateway_run_id: str, run_id: str) -> bool:
    """The same for callers that go on in any case. False if the gateway did not take the request,
    which is logged."""
    try:
        stop_at_gateway(gateway, gateway_run_id, run_id)
    except GatewayError as error:
        log.warning("stop.failed run_id=%s error=%s", run_id, error)
        return False
    return True


def stop_and_wait(gateway: GatewayClient, gateway_run_id: str, run_id: str, seconds: float) -> bool:
    """Whether the run is over at the gateway, or unknown to it, within so many seconds."""
    deadline = time.monotonic() + seconds
    try:
        # Whether it knew the run says nothing: old gateways forget how to stop long runs.
        stop_at_gateway(gateway, gateway_run_id, run_id)
        while (status := gateway.status(gateway_run_id)) is not None and not status.terminal:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
    except GatewayError as error:
        log.warning("stop.failed run_id=%s error=%s", run_id, error)
        return False
    return True
