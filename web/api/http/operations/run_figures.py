"""A run without its contents, as a JSON-able object. Pure."""

from typing import Any

from shared.db.operations.runs_of_all import RunFacts
from web.api.http.run_objects import status_word


def run_figures(run: RunFacts, *, with_worker: bool) -> dict[str, Any]:
    """The object. `with_worker`: names of servers are for operators."""
    return {
        "object": "run",
        "run_id": run.id,
        "owner": run.owner,
        "session_id": run.session_id,
        "profile": run.profile,
        "model": run.model,
        "status": status_word(run, waits=False),
        "reason": run.reason,
        "created_at": run.created_at,
        "claimed_at": run.claimed_at,
        "ended_at": run.ended_at,
        "queue_position": run.queue_position,
        "attempts": run.attempts,
        "takeovers": run.takeovers,
        "worker": run.worker if with_worker else None,
    }
