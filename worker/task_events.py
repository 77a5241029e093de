"""Tells Flower which run a task has become: its message did not say so (ADR 0024)."""

import logging
from typing import Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.db.runs.claim import Claim

log = logging.getLogger(__name__)

CLAIMED = "task-claimed"  # Flower shows the state CLAIMED, and takes over the fields


def show_claim(dispatcher: Any, task_id: str, name: str, claim: Claim) -> None:
    """Show the run in the place of the arguments of this task. `dispatcher`: the
    `celery.events.EventDispatcher` of the worker's consumer, by which Celery sends its own events;
    None before it is there. Never raises: only people look at it."""
    if dispatcher is None or not dispatcher.enabled:
        return
    shown = f"('{claim.run_id}', 'session {claim.session_id or '-'}')"
    try:
        dispatcher.send(CLAIMED, uuid=task_id, name=name, args=shown)
    except (OperationalError, RedisError, OSError) as error:
        log.debug("task.unshown run_id=%s error=%s", claim.run_id, type(error).__name__)
