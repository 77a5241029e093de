"""Runs tests in a copy of the tree, and reads from pytest's report what became of each."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".cache", "build", "dist", "__pycache__", ".*_cache", ".hypothesis"
)
TIMEOUT = 180.0  # seconds for the tests of one guard
# Tracebacks in Python's own format, like those in logs, so that one parser reads both.
OPTIONS = ("-q", "--tb=native", "-p", "no:cacheprovider", "-p", "no:xdist")


@dataclass(frozen=True)
class Run:
    """One run of pytest: names of tests by outcome; `late`: it, or a test, ran out of time."""

    passed: frozenset[str]
    failed: frozenset[str]
    errors: frozenset[str]
    late: bool
    output: str

    def has_passed(self, test: str) -> bool:
        """Whether the test passed, with all its parameters unless some are named."""
        name = _reported_name(test)
        return any(_is_case_of(one, name) for one in self.passed) and not any(
            _is_case_of(one, name) for one in self.failed | self.errors
        )


def _reported_name(test: str) -> str:
    """The name that a report gives to a node id."""
    path, _, name = test.partition("::")
    name, bracket, parameters = name.partition("[")
    return f"{path.removesuffix('.py').replace('/', '.')}.{name.replace('::', '.')}" + (
        bracket + parameters
    )


def _is_case_of(reported: str, name: str) -> bool:
    return reported == name or reported.startswith(f"{name}[")


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of the tree without generated files."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-red-")).resolve()
    copy = folder / "holdfast"
    try:
        shutil.copytree(root, copy, ignore=NOT_COPIED, symlinks=True)
        (root / ".cache").mkdir(exist_ok=True)
        (copy / ".cache").symlink_to(root / ".cache")  # downloads are shared
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(copy: Path) -> dict[str, str]:
    """Modules come from the copy, in child processes and console scripts, too."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def import_error(copy: Path, file: str) -> str:
    """Why a Python file of the copy cannot be imported; "" if it can, or is not Python."""
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
    return done.stderr if done.returncode else ""


def run_tests(
    copy: Path, tests: Sequence[str], *, stop: bool = True, seconds: float = TIMEOUT
) -> Run:
    """Run these tests of the copy, to the first failure or (not `stop`) all."""
    report, output = copy.parent / "report.xml", copy.parent / "output"
    report.unlink(missing_ok=True)
    options = [*OPTIONS, f"--junitxml={report}", *(["-x"] if stop else [])]
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
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
            _interrupt(process)
    return _read(report, output.read_text(errors="replace"), late)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """SIGINT, so that fixtures end their processes; after 20 s SIGKILL to the whole group."""
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
        messages = {child.tag: str(child.get("message")) for child in case}
        if messages.get("failure", "").startswith("Failed: Timeout"):
            late = True
        elif "failure" in messages:
            found["failure"].add(name)
        elif "error" in messages:
            found["error"].add(name)
        elif "skipped" not in messages:
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
