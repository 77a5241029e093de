"""Run states are written in one place, by the moves of one table (R19)."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest

import shared.db
from shared.db.runs.state import move, update_state
from shared.errors import ForbiddenMove
from shared.protocol.run_states import MOVES, Move, RunState

DB = Path(shared.db.__file__).parent
WRITER = DB / "runs" / "state.py"
STATEMENT = update_state()


def run_in(state: RunState) -> Any:
    return SimpleNamespace(id="run_1", state=state.value)


@pytest.mark.parametrize("state", list(RunState))
@pytest.mark.parametrize("verb", list(Move))
def test_a_move_that_is_not_in_the_table_is_refused_before_anything_is_written(
    verb: Move, state: RunState
) -> None:
    tx = Mock()
    target = MOVES[verb].get(state)
    try:
        moved: RunState | None = move(cast("Any", tx), run_in(state), verb, STATEMENT)
    except ForbiddenMove:
        moved = None
    assert moved is target
    assert tx.connection().execute.call_count == (0 if target is None else 1)


def test_a_refused_move_says_which_run_and_why() -> None:
    with pytest.raises(ForbiddenMove, match="run_1 is completed: it cannot claim"):
        move(cast("Any", Mock()), run_in(RunState.COMPLETED), Move.CLAIM, STATEMENT)


def state_writes(path: Path) -> Iterator[str]:
    """Every place in the file that may write `runs.state`: as a keyword, as a key of a dictionary,
    or as an attribute."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(attr="values")) | ast.Call(func=ast.Name(id="RunRow")):
                found = any(keyword.arg == "state" for keyword in node.keywords)
            case ast.Dict(keys=keys):
                found = any(_names_state(key) for key in keys)
            case ast.Assign(targets=targets):
                found = any(isinstance(t, ast.Attribute) and t.attr == "state" for t in targets)
            case _:
                found = False
        if found:
            yield f"{path.relative_to(DB)}:{getattr(node, 'lineno', 0)}"


def _names_state(key: ast.expr | None) -> bool:
    return (isinstance(key, ast.Constant) and key.value == "state") or (
        isinstance(key, ast.Attribute) and key.attr == "state"
    )


def test_only_one_module_writes_states() -> None:
    assert len(list(state_writes(WRITER))) == 2  # the scan does see them
    others = [
        path for path in DB.rglob("*.py") if path != WRITER and "migrations" not in path.parts
    ]
    assert [found for path in others for found in state_writes(path)] == []
