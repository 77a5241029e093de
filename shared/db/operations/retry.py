"""What a failed run was asked, to ask it again."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from shared.protocol.run_states import RunState


@dataclass(frozen=True)
class Asked:
    """The request of a run, as its client sent it, and what became of it."""

    owner: str
    session_id: str | None
    profile: str
    state: RunState
    input: Any
    history: list[dict[str, Any]] | None
    instructions: str | None
    model: str | None


def read_asked(tx: Session, run_id: str) -> Asked | None:
    """Return the request; None if there is no such run."""
    row = tx.execute(
        select(
            RunRow.owner,
            RunRow.session_id,
            RunRow.profile,
            RunRow.state,
            RunRow.input,
            RunRow.history,
            RunRow.instructions,
            RunRow.model,
        ).where(RunRow.id == run_id)
    ).first()
    if row is None:
        return None
    owner, session_id, profile, state, *asked = row
    return Asked(owner, session_id, profile, RunState(state), *asked)
