"""What `make` does with an environment that no longer works (C22)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

INSTALLED = """
import sys
sys.exit(0 if sys.argv[1:3] == ["-P", "-c"] else "not the check")
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with an environment, as far as make looks at it."""
    folder = tmp_path / "a clone"
    (folder / "deploy").mkdir(parents=True)
    for name in ("Makefile", "deploy/check_venv.sh", "deploy/find_python.sh"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("requirements-dev.lock", "pyproject.toml"):
        (folder / name).touch()
    made = folder / ".venv" / "bin"
    made.mkdir(parents=True)
    python = made / "python"
    python.write_text(f"#!{sys.executable}\n{INSTALLED}")
    python.chmod(0o755)
    # As pip writes it for a path with a space.
    script(folder, f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n")
    (folder / ".venv" / ".installed").touch()
    return folder


def script(folder: Path, head: str) -> None:
    (folder / ".venv" / "bin" / "holdfast").write_text(f"{head}# -*- coding: utf-8 -*-\n")


def planned(folder: Path, target: str = "run") -> str:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "-C", str(folder), target]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout


def is_made_anew(folder: Path) -> bool:
    shown = planned(folder)
    assert "holdfast up" in shown
    return "installing into" in shown


def test_one_that_works_is_used(clone: Path) -> None:
    assert not is_made_anew(clone)
    script(clone, f"#!{clone}/.venv/bin/python3.11\n")
    assert not is_made_anew(clone)


def test_after_the_clone_was_renamed(clone: Path) -> None:
    assert is_made_anew(clone.rename(clone.with_name("renamed")))


def test_in_a_copy_while_the_first_one_is_there(clone: Path) -> None:
    assert is_made_anew(Path(shutil.copytree(clone, clone.with_name("copy"))))
    assert not is_made_anew(clone)


def test_after_its_python_was_removed(clone: Path) -> None:
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/python3.4")
    assert is_made_anew(clone)


def test_after_its_python_was_upgraded(clone: Path) -> None:
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(shutil.which("false") or "")  # it does not find the packages
    assert is_made_anew(clone)


def test_without_the_command(clone: Path) -> None:
    (clone / ".venv" / "bin" / "holdfast").unlink()
    assert is_made_anew(clone)


def test_an_environment_of_another_folder_may_be_linked(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "worktree"
    shutil.copytree(clone, other, ignore=shutil.ignore_patterns(".venv"))
    (other / ".venv").symlink_to(clone / ".venv")
    os.utime(clone / ".venv" / ".installed")
    assert not is_made_anew(other)
