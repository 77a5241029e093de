"""The limit of live runs of a profile, over all workers (R7)."""

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.db.constants import constants
from shared.db.models import RunRow
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
    # As all that are live; said for the index of the runs that are not done.
    mine = (
        RunRow.profile == profile,
        RunRow.state.in_(constants(LIVE)),
        RunRow.announced_at.is_(None),
    )
    live = tx.scalar(select(func.count()).select_from(RunRow).where(*mine)) or 0
    return max(0, most - live)


def _lock_profile(tx: Session, profile: str) -> None:
    """Have claims of one profile count one after the other. SQLite has one writer anyway."""
    if tx.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtext('holdfast.permits'), hashtext(:name))")
        tx.execute(lock, {"name": profile})
