"""Proves that the reliability tests can fail: each guard's mechanism off, its tests must be red.

    python -m tests.reliability.red [-j 2] [--skip-green] [id or cover ...]

Works on copies of the tree; nothing here is changed. Exit code 1 unless every guard is red.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.changed_code import error_of_change
from tests.reliability.guards import Guard, chosen, load
from tests.reliability.pytest_run import TIMEOUT, Run, copied, import_error, run_tests
from tests.support.paths import ROOT

SHOWN = 3_000  # characters of the output of a run that went wrong

RED, GREEN, BROKEN = "red", "GREEN", "broken"


@dataclass(frozen=True)
class Verdict:
    """The result for one guard; `details` say why it is not red."""

    guard: Guard
    result: str
    seconds: float
    details: str = ""


class Prover:
    """Judges guards whose tests have all passed in an unchanged copy."""

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
            run = run_tests(copy, tests, stop=False, seconds=TIMEOUT * len(tests))
        return {test: run.output for test in tests if not run.has_passed(test)}

    def judge(self, guard: Guard) -> Verdict:
        """Switch the mechanism off in a copy and run the guard's tests there."""
        began = time.monotonic()
        result, details = self._result(guard)
        return Verdict(guard, result, time.monotonic() - began, details[-SHOWN:])

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
            if fault := import_error(copy, guard.file):
                return BROKEN, f"the changed file does not load:\n{fault}"
            run = run_tests(copy, guard.tests)
            return _judge(guard, run, error_of_change(run.output, target, copy))


def _judge(guard: Guard, run: Run, error: str) -> tuple[str, str]:
    """The result of a run without the mechanism; `error` is a programming error of the change."""
    if error and (run.failed or run.late):
        return BROKEN, f"{run.output}\nthe change itself fails in {guard.file}: {error}"
    if run.failed or (run.late and guard.timeout_is_red):
        return RED, ""
    return BROKEN if run.errors or run.late else GREEN, run.output


def show(verdict: Verdict) -> None:
    """Print one line; above it the details of a guard that is not red."""
    guard = verdict.guard
    if verdict.details:
        print(verdict.details)
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
