"""Constants in statements: plain words, and in every statement that is built once."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import ClauseElement, create_engine
from sqlalchemy.sql import Executable

import shared.db
from shared.db.constants import constant, constants
from shared.db.models import RunRow
from shared.protocol.run_states import LIVE, RunState

DIALECTS = [create_engine(url).dialect for url in ("sqlite://", "postgresql+psycopg://")]
BOUND_STATE = re.compile(r"\bstate (=|!=) (\?|%)|\bstate (NOT )?IN \(__\[POSTCOMPILE")


def built_once() -> Iterator[tuple[str, ClauseElement]]:
    """The statements of all modules of the database."""
    for found in pkgutil.walk_packages(shared.db.__path__, "shared.db."):
        if ".migrations" in found.name:
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, ClauseElement) and isinstance(value, Executable):
                yield f"{found.name}.{name}", value


@pytest.mark.filterwarnings("ignore:Column 'runs.id' is marked")  # its values come later
def test_no_statement_that_is_built_once_binds_a_state() -> None:
    statements = dict(built_once())
    assert len(statements) > 20
    for dialect in DIALECTS:
        bound = [
            name
            for name, statement in statements.items()
            if BOUND_STATE.search(str(statement.compile(dialect=dialect)))
        ]
        assert bound == []


def test_the_test_would_see_one() -> None:
    for found in (RunRow.state == RunState.QUEUED, RunRow.state.in_([*LIVE])):
        assert BOUND_STATE.search(str(found.compile(dialect=DIALECTS[0])))
    shown = str(RunRow.state.in_(constants(LIVE)).compile(dialect=DIALECTS[0]))
    assert "state IN ('" in shown


@pytest.mark.parametrize("value", ["it's", "", "a b", "1; --", "a-b"])
def test_what_is_no_plain_word_is_no_constant(value: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(value)}$"):
        constant(value)
