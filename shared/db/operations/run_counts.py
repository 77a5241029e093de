"""How many runs each filter of a list would show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.models import HAS_ENDED, RunRow
from shared.db.operations.runs_of_all import are_open, of_owner
from shared.protocol.run_states import ENDED, RunState

MOST_RUNS: Final = 100_000  # ended ones that are looked at, the newest
MOST_NAMES: Final = 50  # of each kind


@dataclass(frozen=True)
class Group:
    """Runs that have these in common."""

    state: RunState
    reason: str | None
    profile: str
    count: int


@dataclass(frozen=True)
class RunCounts:
    """`groups`: all of them. `owners`: those of most runs with how many they have. `complete`:
    False if there were more ended runs than are looked at."""

    groups: list[Group]
    owners: list[tuple[str, int]]
    complete: bool


def run_counts(tx: Session, owner: str | None, since: float) -> RunCounts:
    """Count the runs of the owner (None: of all) that are open, or were made after `since` (epoch
    seconds) and have ended."""
    groups: dict[tuple[RunState, str | None, str], int] = {}
    owners: dict[str, int] = {}
    ended = _newest_ended(owner, since)
    for source in (_OPEN.where(*of_owner(owner)).subquery(), ended):
        for *key, count in tx.execute(_grouped(source, ("state", "reason", "profile"))):
            state, reason, profile = key
            place = (RunState(state), reason, profile)
            groups[place] = groups.get(place, 0) + count
        by_owner = _grouped(source, ("owner",)).order_by(func.count().desc()).limit(MOST_NAMES)
        for name, count in tx.execute(by_owner):
            owners[name] = owners.get(name, 0) + count
    seen = sum(count for (state, *_), count in groups.items() if state in ENDED)
    most = sorted(owners.items(), key=lambda one: (-one[1], one[0]))[:MOST_NAMES]
    return RunCounts(
        [Group(*key, count) for key, count in groups.items()], most, complete=seen < MOST_RUNS
    )


_FIELDS: Final = (RunRow.state, RunRow.reason, RunRow.profile, RunRow.owner)
_OPEN: Any = select(*_FIELDS).where(*are_open())


def _newest_ended(owner: str | None, since: float) -> Any:
    query = select(*_FIELDS).where(*of_owner(owner), HAS_ENDED, RunRow.created_at >= since)
    return query.order_by(RunRow.created_at.desc()).limit(MOST_RUNS).subquery()


def _grouped(source: Any, names: Sequence[str]) -> Any:
    columns = [source.c[name] for name in names]
    return select(*columns, func.count()).group_by(*columns)
