"""The order of the runs of a session, as SQL: one at a time, queued ones by `queue_no` (R11).

Everybody who asks "which run is next" uses these expressions. The position is `queue_no`, not the
time of acceptance: an interrupting message goes before those that wait (R34). A run without session
has no other runs beside it, since NULL equals nothing.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, or_, select
from sqlalchemy.orm import aliased

from shared.db.constants import constant, constants
from shared.db.models import RunRow
from shared.protocol.run_states import LIVE, RunState

PAUSE_MOST: Final = 300.0  # seconds: longer than a run is ever put back for


def is_sibling(other: Any) -> ColumnElement[bool]:
    """Whether `other`, an alias of RunRow, is another run of the session of RunRow."""
    return and_(
        other.owner == RunRow.owner,
        other.session_id == RunRow.session_id,
        other.id != RunRow.id,
    )


def goes_first(other: Any) -> ColumnElement[bool]:
    """Whether `other`, a sibling, is live, or queued before RunRow."""
    return or_(
        other.state.in_(constants(LIVE)),
        and_(other.state == constant(RunState.QUEUED), other.queue_no < RunRow.queue_no),
    )


def is_first_in_line() -> ColumnElement[bool]:
    """Whether no run of the session goes before RunRow."""
    other = aliased(RunRow)
    return ~exists().where(is_sibling(other), goes_first(other))


def next_queued() -> ScalarSelect[str]:
    """The id of the first queued run of the session of RunRow, itself excepted."""
    other = aliased(RunRow)
    return (
        select(other.id)
        .where(is_sibling(other), other.state == constant(RunState.QUEUED))
        .order_by(other.queue_no)
        .limit(1)
        .scalar_subquery()
    )
