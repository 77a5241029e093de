"""The limit of live runs of a profile, over all workers (R7)."""

from functools import reduce
from operator import add
from typing import Any, Final

from sqlalchemy import String, bindparam, func, select, text
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from shared.db.runs.not_done import not_done_in
from shared.protocol.run_states import LIVE


def has_permit(tx: Session, profile: str, most: int) -> bool:
    """Whether one more run of the profile may become live, if at most `most` may be (0: any
    number). It stays true until the transaction ends: other claims of the profile wait."""
    if most == 0:
        return True
    _lock_profile(tx, profile)
    return free_permits(tx, profile, most) > 0


def free_permits(tx: Session, profile: str, most: int) -> int:
    """How many more runs of the profile may become live now, without a lock; `most` is not 0."""
    live = tx.scalar(_LIVE_RUNS, {"of_profile": profile}) or 0
    return max(0, most - live)


def _live_runs() -> Any:
    """How many runs of the profile `of_profile` are live."""
    return select(reduce(add, map(_live_in, sorted(LIVE))))


def _live_in(state: str) -> Any:
    of_profile = RunRow.profile == bindparam("of_profile", type_=String)
    count = select(func.count()).select_from(RunRow)
    return count.where(*not_done_in(state), of_profile).scalar_subquery()


def _lock_profile(tx: Session, profile: str) -> None:
    """Have claims of one profile count one after the other. SQLite has one writer anyway."""
    if tx.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtext('holdfast.permits'), hashtext(:name))")
        tx.execute(lock, {"name": profile})


_LIVE_RUNS: Final = _live_runs()  # built once: to build it costs more than to execute it
