"""Stops a run at its gateway in place of an owner that may be frozen; any worker may do it (R9)."""

from shared.db.runs.attempts import attempts
from worker.gateway.stop_at_gateway import stop_at_gateway
from worker.services import Services


def stop_run(services: Services, run_id: str) -> None:
    """POST /stop for every attempt that the gateway may be working on. Raises GatewayError, which
    has Celery try again."""
    for attempt in services.db.read(lambda tx: attempts(tx, run_id)):
        if attempt.gateway_run_id is not None:
            gateway = services.gateways.client(attempt.profile)
            stop_at_gateway(gateway, attempt.gateway_run_id, run_id)
