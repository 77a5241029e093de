"""How many runs may be open: the limits that keep one owner, or all together, from piling up more
work than is ever served.

They are counted without a lock, so requests that come at the same moment may pass them by as many
as there are. Each count stops at its limit.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from shared.errors import QuotaExceeded
from shared.protocol.run_states import OPEN, RunState


@dataclass(frozen=True)
class RunLimits:
    """How many runs of one owner may be open (live or waiting), and how many of them may wait; 0:
    any number."""

    open_runs: int = 0
    waiting: int = 0


NO_LIMITS: Final = RunLimits()


def require_room(tx: Session, owner: str, limits: RunLimits) -> None:
    """Raise QuotaExceeded if the owner has as many runs as one owner may have."""
    waiting, most = count_of(tx, owner, [RunState.QUEUED], limits.waiting), limits.waiting
    if most and waiting >= most:
        raise QuotaExceeded(f"{most} of your messages are waiting; send more when some are done.")
    most = limits.open_runs
    if most and count_of(tx, owner, [*OPEN], most) >= most:
        raise QuotaExceeded(f"You have {most} runs at once, as many as you may have.")


def count_of(tx: Session, owner: str, states: list[RunState], most: int) -> int:
    """How many runs of the owner are in these states (not final ones), up to `most`."""
    if not most:
        return 0
    mine = (RunRow.owner == owner, RunRow.state.in_(states), RunRow.announced_at.is_(None))
    return _count(tx, select(literal(1)).select_from(RunRow).where(*mine), most)


def count_waiting(tx: Session, most: int) -> int:
    """How many runs of all owners wait, up to `most`. It reads an index alone."""
    all_of_them = (RunRow.state == RunState.QUEUED, RunRow.announced_at.is_(None))
    return _count(tx, select(literal(1)).select_from(RunRow).where(*all_of_them), most)


def _count(tx: Session, rows: Select[int], most: int) -> int:
    some = rows.limit(most).subquery()
    return tx.scalar(select(func.count()).select_from(some)) or 0
