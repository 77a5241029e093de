"""The order in which due runs start: round the owners, then by age (R11).

Problem: the next run has to be found without a look at all that wait, and an owner with a thousand
runs must not make the others wait for all of them. Idea (start-time fair queueing): a run gets a
number, `due_no`, when it becomes due: when it is first in line in its session, and the ends before
it are announced. The number is one more than that of its owner's run before it, but never less
than one below where the rounds are: the highest number that was claimed so far, or the first one
that waits in its profile, if that is lower. So each owner has one run in each round, who comes new
or has sent nothing for a round goes before the round that is under way, and the next run is the
lowest number: the first entry of an index.
Invariant: the number is only an order. `claim` decides whether a run may start; a run that has a
number without being due loses it there, and one that lacks its number gets it from the reaper.
"""

from typing import Any, Final

from sqlalchemy import String, bindparam, case, func, select, union_all, update
from sqlalchemy.orm import Session, aliased

from shared.db.constants import constant
from shared.db.models import IS_DUE, OwnerTurnRow, RunRow, SessionRow
from shared.db.runs.session_queue import is_sibling
from shared.db.upserts import Upsert
from shared.protocol.run_states import RunState


def next_no(owner: Any = None, profile: Any = None) -> Any:
    """The number of a run of `owner` and `profile` that becomes due, as SQL; by default of the
    parameters `of_owner` and `of_profile`. Of two runs that become due at the same moment, both may
    get the same one."""
    owner = bindparam("of_owner", type_=String) if owner is None else owner
    profile = bindparam("of_profile", type_=String) if profile is None else profile
    mine, other = aliased(OwnerTurnRow), aliased(RunRow)
    numbers = union_all(
        select((_round_of(profile) - 1).label("n")),
        select(mine.last_no + 1).where(mine.owner == owner),
        select(func.max(other.due_no) + 1).where(
            other.owner == owner,
            other.state == constant(RunState.QUEUED),
            other.announced_at.is_(None),
        ),
    ).subquery()
    return select(func.coalesce(func.max(numbers.c.n), 0)).scalar_subquery()


def _round_of(profile: Any) -> Any:
    """Where the rounds are for runs of the profile. One that waits for permits is behind the
    others: who comes new joins the round of its first run, not one after all of them."""
    claimed = select(func.max(OwnerTurnRow.last_no)).scalar_subquery()
    first = select(func.min(RunRow.due_no)).where(IS_DUE, RunRow.profile == profile)
    head = first.correlate(None).scalar_subquery()
    return case((head < claimed, head), else_=claimed)


def _next_due() -> Any:
    """Number the first queued run of a session, if nothing there is live or unannounced."""
    first, other = aliased(RunRow), aliased(RunRow)
    here_owner = bindparam("of_owner", type_=String)
    here = (first.owner == here_owner, first.session_id == bindparam("of_session"))
    head = (
        select(first.id)
        .where(*here, first.state == constant(RunState.QUEUED))
        .order_by(first.queue_no)
        .limit(1)
        .scalar_subquery()
    )
    profile = (
        select(SessionRow.profile)
        .where(SessionRow.owner == here_owner, SessionRow.id == bindparam("of_session"))
        .scalar_subquery()
    )
    not_over = (
        select(other.id)
        .where(
            is_sibling(other),
            other.state != constant(RunState.QUEUED),
            other.announced_at.is_(None),
        )
        .exists()
    )
    return (
        update(RunRow)
        .where(
            RunRow.id == head,
            RunRow.state == constant(RunState.QUEUED),
            RunRow.due_no.is_(None),
            ~not_over,
        )
        .values(due_no=next_no(profile=profile))
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )


# Built once, since nearly every run needs them.
_NEXT_DUE: Final = _next_due()
_NOT_DUE: Final = update(RunRow).where(RunRow.id == bindparam("of_run")).values(due_no=None)
_SERVED: Final = Upsert(
    lambda insert: (
        insert(OwnerTurnRow)
        .values(owner=bindparam("of_owner"), last_no=bindparam("no"))
        .on_conflict_do_update(
            index_elements=["owner"],
            set_={"last_no": bindparam("no")},
            where=OwnerTurnRow.last_no < bindparam("no"),
        )
    )
)


def make_next_due(tx: Session, owner: str, session_id: str) -> str | None:
    """Number the run that is first in line in the session, unless something there is live or not
    announced; its id, None if there is none, or it had a number before."""
    here = {"of_owner": owner, "of_session": session_id}
    found: str | None = tx.connection().scalar(_NEXT_DUE, here)
    return found


def unmake_due(tx: Session, run_id: str) -> None:
    """The run is not due after all."""
    tx.connection().execute(_NOT_DUE, {"of_run": run_id})


def note_served(tx: Session, owner: str, due_no: int) -> None:
    """A run with this number was claimed: the rounds have come so far. Locks the owner's row until
    the transaction ends, so it comes last."""
    tx.connection().execute(_SERVED.on(tx), {"of_owner": owner, "no": due_no})
