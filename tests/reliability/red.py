"""Proves that the reliability tests can fail: each guard's mechanism off, its tests must be red.

    python -m tests.reliability.red [-j 2] [--skip-green] [id or cover ...]

Works on copies of the tree; nothing here is changed. Exit code 1 unless every guard is red.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.guards import Guard, chosen, load
from tests.support.paths import ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".cache", "build", "dist", "__pycache__", ".*_cache", ".hypothesis"
)
TIMEOUT = 180.0  # seconds for the tests of one guard
SHOWN = 3_000  # characters of a run that went wrong

RED, GREEN, BROKEN = "red", "GREEN", "broken"


@dataclass(frozen=True)
class Verdict:
    """What became of one guard."""

    guard: Guard
    result: str
    seconds: float
    story: str = ""


@dataclass(frozen=True)
class Run:
    """One run of pytest: tests by what became of them; `late`: it, or a test, was ended."""

    passed: frozenset[str]
    failed: frozenset[str]
    errors: frozenset[str]
    late: bool
    output: str

    def has_passed(self, test: str) -> bool:
        """Whether the test passed, with all its parameters unless some are named."""
        named = _reported(test)
        return any(_is(one, named) for one in self.passed) and not any(
            _is(one, named) for one in self.failed | self.errors
        )


def _reported(test: str) -> str:
    """The name that a report gives to a node id."""
    path, _, name = test.partition("::")
    name, bracket, parameters = name.partition("[")
    return f"{path.removesuffix('.py').replace('/', '.')}.{name.replace('::', '.')}" + (
        bracket + parameters
    )


def _is(reported: str, named: str) -> bool:
    return reported == named or reported.startswith(f"{named}[")


class Prover:
    """Judges guards, whose tests have all been seen green in an unchanged copy."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._not_green: dict[str, str] = {}

    def see_green(self, tests: Sequence[str], jobs: int) -> None:
        """Run them with every mechanism on, one process per file."""
        files: dict[str, list[str]] = {}
        for test in dict.fromkeys(tests):
            files.setdefault(test.partition("::")[0], []).append(test)
        with ThreadPoolExecutor(jobs) as pool:
            for not_green in pool.map(self._unchanged, files.values()):
                self._not_green |= not_green

    def _unchanged(self, tests: Sequence[str]) -> dict[str, str]:
        with copied(self._root) as copy:
            run = pytest(copy, tests, stop=False, seconds=TIMEOUT * len(tests))
        return {test: run.output for test in tests if not run.has_passed(test)}

    def judge(self, guard: Guard) -> Verdict:
        """Red without the mechanism?"""
        began = time.monotonic()
        result, story = self._result(guard)
        return Verdict(guard, result, time.monotonic() - began, story)

    def _result(self, guard: Guard) -> tuple[str, str]:
        for test in guard.tests:
            if test in self._not_green:
                return BROKEN, f"{self._not_green[test]}\nnot green with the mechanism: {test}"
        with copied(self._root) as copy:
            target = copy / guard.file
            try:
                target.write_text(guard.applied(target.read_text("utf-8")), "utf-8")
            except (OSError, ValueError) as error:
                return BROKEN, str(error)
            fault = does_not_load(copy, guard.file)
            if fault:
                return BROKEN, f"the changed file does not load:\n{fault}"
            run = pytest(copy, guard.tests)
        if run.failed or (run.late and guard.timeout_is_red):
            return RED, ""
        return BROKEN if run.errors or run.late else GREEN, run.output


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of the tree without what was made from it."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-red-"))
    copy = folder / "holdfast"
    try:
        shutil.copytree(root, copy, ignore=LEFT_OUT, symlinks=True)
        (root / ".cache").mkdir(exist_ok=True)
        (copy / ".cache").symlink_to(root / ".cache")  # what was downloaded once
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(copy: Path) -> dict[str, str]:
    """Modules come from the copy, in child processes and console scripts, too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**kept, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def does_not_load(copy: Path, file: str) -> str:
    """Why a Python file of the copy cannot be imported; empty if it can, or is none."""
    if not file.endswith(".py"):
        return ""
    module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    check = f"import importlib; importlib.import_module({module!r})"
    if module.endswith("__main__"):
        check = f"compile(open({file!r}).read(), {file!r}, 'exec')"
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=copy,
        env=environment(copy),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr[-SHOWN:] if done.returncode else ""


def pytest(copy: Path, tests: Sequence[str], *, stop: bool = True, seconds: float = TIMEOUT) -> Run:
    """Run these tests of the copy, to the first failure or (not `stop`) all."""
    report, output = copy.parent / "report.xml", copy.parent / "output"
    report.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}"]
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *(["-x"] if stop else []), *tests],
            cwd=copy,
            env=environment(copy),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
            late = False
        except subprocess.TimeoutExpired:
            late = True
            _end(process)
    return _read(report, output.read_text(errors="replace")[-SHOWN:], late)


def _end(process: subprocess.Popen[bytes]) -> None:
    """As a person would, so that fixtures end their processes; then for good."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(report: Path, output: str, late: bool) -> Run:
    """A test that pytest itself had to end is no failure of its own."""
    found: dict[str, set[str]] = {"passed": set(), "failure": set(), "error": set()}
    for case in _cases(report):
        name = f"{case.get('classname')}.{case.get('name')}"
        told = {child.tag: str(child.get("message")) for child in case}
        if told.get("failure", "").startswith("Failed: Timeout"):
            late = True
        elif "failure" in told:
            found["failure"].add(name)
        elif "error" in told:
            found["error"].add(name)
        elif "skipped" not in told:
            found["passed"].add(name)
    if not (late or any(found.values())):
        found["error"].add("pytest")
    return Run(
        passed=frozenset(found["passed"]),
        failed=frozenset(found["failure"]),
        errors=frozenset(found["error"]),
        late=late,
        output=output,
    )


def _cases(report: Path) -> list[ET.Element]:
    if not report.exists():
        return []
    return list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314 - pytest wrote it


def show(verdict: Verdict) -> None:
    """One line; for what is not red, its story on top."""
    guard = verdict.guard
    if verdict.story:
        print(verdict.story)
    tests = " ".join(test.removeprefix("tests/") for test in guard.tests)
    covers = ",".join(guard.covers)
    print(
        f"{verdict.result:7}{verdict.seconds:6.1f} s  {guard.id:32} {covers:20} {tests}", flush=True
    )


def main() -> int:
    """Judge the guards that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.red")
    parser.add_argument("wanted", nargs="*", metavar="id-or-cover", help="guards; none: all")
    parser.add_argument("-j", type=int, default=1, dest="jobs", help="how many at once")
    parser.add_argument("--skip-green", action="store_true", help="don't run the unchanged code")
    options = parser.parse_args()
    try:
        guards = chosen(load(), options.wanted)
    except ValueError as error:
        parser.error(str(error))
    prover = Prover(ROOT)
    began = time.monotonic()
    if not options.skip_green:
        prover.see_green([test for guard in guards for test in guard.tests], options.jobs)
        print(f"the tests ran with all mechanisms on, {time.monotonic() - began:.0f} s", flush=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = []
        for verdict in pool.map(prover.judge, guards):
            verdicts.append(verdict)
            show(verdict)
    red = sum(verdict.result == RED for verdict in verdicts)
    print(f"{red} of {len(verdicts)} guards are red, {time.monotonic() - began:.0f} s")
    return 0 if red == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
