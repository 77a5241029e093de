"""The one place that writes `runs.state`, and only by a move that `MOVES` allows.

The caller has locked the run and read its state (`lock_run`), so that checking the move costs no
further query. Statements are built once, at import, by `update_state` and `insert_run`.
"""

from typing import Any

from sqlalchemy import Insert, Row, Update, bindparam, insert, update
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from shared.errors import ForbiddenMove
from shared.protocol.run_states import INITIAL, MOVES, Move, RunState


def update_state(**columns: Any) -> Update:
    """An UPDATE of one run for `move`: its state, and these columns with it."""
    return (
        update(RunRow)
        .where(RunRow.id == bindparam("of_run"))
        .values(state=bindparam("new_state"), **columns)
    )


def insert_run(**columns: Any) -> Insert:
    """An INSERT of a run in the initial state, with these columns."""
    return insert(RunRow).values(state=INITIAL.value, **columns)


def move(
    tx: Session, run: Row[Any] | RunRow, verb: Move, statement: Update, **values: Any
) -> RunState:
    """Execute a statement of `update_state` on the locked `run`; the state that it has now.

    `values` are those of the statement's other parameters. Raises ForbiddenMove, before anything
    is written, if a run in its state may not make the move.
    """
    target = MOVES[verb].get(RunState(run.state))
    if target is None:
        raise ForbiddenMove(f"run {run.id} is {run.state}: it cannot {verb}")
    tx.connection().execute(statement, {**values, "of_run": run.id, "new_state": target.value})
    return target
