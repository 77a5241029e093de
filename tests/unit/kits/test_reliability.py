"""The guards of the reliability tests are sound, and leave nothing uncovered."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.reliability import guards, page, red
from tests.reliability.guards import Guard
from tests.support.paths import ROOT

HERE = "tests/unit/kits/test_reliability.py"
GUARD = Guard(
    id="a",
    covers=("R1",),
    says="Nothing.",
    tests=(f"{HERE}::test_a_guard_that_is_sound_has_no_faults",),
    file="x.py",
    find="on = True",
    replace="on = False",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of one mechanism and its tests."""
    (tmp_path / "x.py").write_text("on = True\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest]\n")
    (tmp_path / "test_x.py").write_text(
        "import x\n"
        "def test_holds(): assert x.on\n"
        "def test_holds_nothing(): pass\n"
        "def test_is_never_green(): assert False\n"
    )
    return tmp_path


def judged(tree: Path, test: str, **changes: Any) -> str:
    guard = replace(GUARD, tests=(f"test_x.py::{test}",), **changes)
    prover = red.Prover(tree)
    prover.see_green(guard.tests, 1)
    return prover.judge(guard).result


def test_everything_that_must_be_is_covered() -> None:
    assert not guards.uncovered(guards.load())


def test_every_guard_names_tests_that_exist_and_text_that_is_there_once() -> None:
    assert not guards.faults(guards.load())


def test_the_page_in_docs_is_the_one_that_the_guards_generate() -> None:
    assert (ROOT / "docs" / "RELIABILITY.md").read_text("utf-8") == page.page(), (
        "stale: python -m tests.reliability.page docs/RELIABILITY.md"
    )


def test_a_guard_that_is_sound_has_no_faults(tree: Path) -> None:
    shutil.copytree(ROOT / "tests" / "unit", tree / "tests" / "unit")
    assert guards.faults([GUARD], tree) == []
    assert guards.faults([GUARD, GUARD], tree) == ["a: twice"]


def test_a_test_that_fails_without_the_mechanism_is_red(tree: Path) -> None:
    assert judged(tree, "test_holds") == red.RED


def test_a_test_that_does_not_notice_is_green(tree: Path) -> None:
    assert judged(tree, "test_holds_nothing") == red.GREEN


@pytest.mark.parametrize(
    ("test", "changes"),
    [
        ("test_is_never_green", {}),
        ("test_holds", {"replace": "on = = False"}),
        ("test_holds", {"find": "off = True"}),
        ("test_that_is_missing", {}),
    ],
    ids=["not green before", "does not load", "text is not there", "no such test"],
)
def test_what_proves_nothing_is_broken(tree: Path, test: str, changes: dict[str, str]) -> None:
    assert judged(tree, test, **changes) == red.BROKEN
