"""How many runs may be open: the limits that keep one owner, or all together, from piling up more
work than is ever served.

They are counted without a lock, so requests that come at the same moment may pass them by as many
as there are. Each count stops at its limit.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Integer, Select, String, bindparam, func, literal, select
from sqlalchemy.orm import Session

from shared.db.constants import constant, constants
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
    query = _counting(tuple(states))
    return tx.connection().scalar(query, {"of_owner": owner, "most": most}) or 0


def count_waiting(tx: Session, most: int) -> int:
    """How many runs of all owners wait, up to `most`. It reads an index alone."""
    return tx.connection().scalar(_WAITING, {"most": most}) or 0


@cache
def _counting(states: tuple[RunState, ...]) -> Select[int]:
    """How many runs of `of_owner` are in these states, up to `most`; built once."""
    return _up_to_most(
        RunRow.owner == bindparam("of_owner", type_=String), RunRow.state.in_(constants(states))
    )


def _up_to_most(*conditions: Any) -> Select[int]:
    rows = select(literal(1)).select_from(RunRow).where(*conditions, RunRow.announced_at.is_(None))
    some = rows.limit(bindparam("most", type_=Integer)).subquery()
    return select(func.count()).select_from(some)


_WAITING: Final = _up_to_most(RunRow.state == constant(RunState.QUEUED))
