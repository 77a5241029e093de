"""A run without its contents, as a JSON-able object. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from shared.db.operations.runs_of_all import RunFacts
from shared.event_log.worker_reports import Progress
from web.api.http.run_objects import status_word


def run_figures(
    run: RunFacts, *, with_worker: bool, progress: Mapping[str, Progress] = MappingProxyType({})
) -> dict[str, Any]:
    """The object. `with_worker`: names of servers are for operators. `progress`: run id -> how far
    it is, of live runs."""
    live = progress.get(run.id)
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
        "first_token_at": live.first_token_at if live is not None else run.first_token_at,
        "ended_at": run.ended_at,
        "queue_position": run.queue_position,
        "attempts": run.attempts,
        "takeovers": run.takeovers,
        "output_tokens": run.output_tokens,
        "characters": live.characters if live is not None else None,
        "worker": run.worker if with_worker else None,
    }
