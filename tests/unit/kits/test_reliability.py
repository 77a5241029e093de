"""The guards of the reliability tests are sound, and leave nothing uncovered."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.reliability import guards, page, red
from tests.reliability.guards import Guard
from tests.reliability.static_check import undefined_names
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
    (tmp_path / "x.py").write_text(
        "on = True\ndef value(): return 1 if on else None\ndef ask(): return value()\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.pytest]\n")
    (tmp_path / "test_x.py").write_text(
        "import logging, x\n"
        "def test_holds(): assert x.on\n"
        "def test_uses_what_comes_back(): assert x.ask().real\n"
        "def test_holds_by_a_call(): assert x.ask() == 1\n"
        "def test_holds_in_a_thread():\n"
        "    try: found = x.ask()\n"
        "    except Exception: logging.exception('thread.failed'); found = None\n"
        "    assert found == 1\n"
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


def test_every_case_that_a_guard_names_is_collected() -> None:
    named = {test for guard in guards.load() for test in guard.tests if "[" in test}
    files = sorted({test.partition("::")[0] for test in named})
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider")
    shown = subprocess.run((*command, *files), cwd=ROOT, capture_output=True, text=True, check=True)
    assert named - {*shown.stdout.splitlines()} == set()


def test_no_change_of_a_guard_uses_a_name_that_does_not_exist() -> None:
    assert not undefined_names(guards.load())


def test_a_name_that_does_not_exist_is_found_in_a_change(tree: Path) -> None:
    guard = replace(GUARD, replace="on = no_such_name()")
    assert undefined_names([guard], tree) == ["a: Undefined name `no_such_name`"]
    assert undefined_names([GUARD], tree) == []


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


def test_a_wrong_result_that_breaks_the_test_itself_is_red(tree: Path) -> None:
    assert judged(tree, "test_uses_what_comes_back") == red.RED


@pytest.mark.parametrize("test", ["test_holds_by_a_call", "test_holds_in_a_thread"])
def test_a_change_that_calls_what_does_not_exist_is_broken(tree: Path, test: str) -> None:
    changes = {"find": "return value()", "replace": "return [].no_such_method()"}
    assert judged(tree, test, **changes) == red.BROKEN


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
