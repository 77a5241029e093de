"""Stops a run at the gateway for an owner that may be frozen; any worker may do it (R9)."""

import logging

from shared.db.runs.attempts import attempts
from worker.services import Services

log = logging.getLogger(__name__)


def stop_run(services: Services, run_id: str) -> None:
    """POST /stop for every attempt that the gateway may be working on. Raises GatewayError."""
    for attempt in services.db.read(lambda tx: attempts(tx, run_id)):
        if attempt.gateway_run_id is not None:
            known = services.gateways.client(attempt.profile).stop(attempt.gateway_run_id)
            log.info("run.stop_sent run_id=%s fence=%s known=%s", run_id, attempt.fence, known)
