"""Runs that are not done, read without those that wait, of which there may be a hundred thousand.

Problem: the index `runs_not_done` (state, lease_until) has all of them. While the statistics of
PostgreSQL say that there are few, as they do when very many have just come, it may as well read
another index from end to end for runs that are in one of several states. Idea: one state in each
statement. Then it looks that state up in this index.
"""

from sqlalchemy import ColumnElement

from shared.db.constants import constant
from shared.db.models import RunRow


def not_done_in(state: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Whether a run is in this state and not done."""
    return RunRow.state == constant(state), RunRow.announced_at.is_(None)
