"""Real processes of the project, and waiting for facts about them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import requests

T = TypeVar("T")

GRACE = 10.0  # seconds a process gets between SIGTERM and SIGKILL


def wait_until(
    fact: Callable[[], T], *, within: float = 10.0, what: str = "", every: float = 0.02
) -> T:
    """The first truthy value of `fact`, asked again and again. Fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or fact}; last value {value!r}")
        time.sleep(every)


def wait_for_http(url: str, *, status: int = 200, within: float = 60.0) -> requests.Response:
    """The first answer of `url` with this status."""

    def answer() -> list[requests.Response]:
        with requests.Session() as session:
            session.trust_env = False
            try:
                found = session.get(url, timeout=2)
            except requests.RequestException:
                return []
        return [found] if found.status_code == status else []

    return wait_until(answer, within=within, what=f"{url} answers {status}")[0]


def is_alive(pid: int) -> bool:
    """Whether a process runs under this id; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


class RunningProcess:
    """A process in a session of its own, with its output in a file."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_dir: Path
    ) -> None:
        self.name = name
        self.log_file = log_dir / f"{name}.log"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, text: str, *, within: float = 60.0) -> None:
        """Wait until it has written `text`; fails at once if it ends before."""

        def written() -> bool:
            assert self.returncode is None or text in self.log(), self._story()
            return text in self.log()

        wait_until(written, within=within, what=f"{self.name} writes {text!r}")

    def signal(self, number: int) -> None:
        """Send a signal to the process, not to its group."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the process, as a crash would be, and reap it."""
        self._process.kill()
        self._process.wait()

    def wait(self, *, within: float = GRACE) -> int:
        """Its exit code, once it has ended."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within} s: {self._story()}") from None

    def stop(self, *, within: float = GRACE) -> int:
        """SIGTERM, after `within` seconds SIGKILL to the whole group; its exit code."""
        if self.returncode is None:
            self._process.terminate()
            try:
                self._process.wait(within)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def _story(self) -> str:
        return f"{self.name} (exit code {self.returncode}):\n{self.log()[-4000:]}"


class Processes:
    """Starts processes and ends whatever of them is left."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self.started: list[RunningProcess] = []

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> RunningProcess:
        """Start any command."""
        process = RunningProcess(name, command, environment, self._log_dir)
        self.started.append(process)
        return process

    def start_module(
        self, name: str, *arguments: str, environment: Mapping[str, str]
    ) -> RunningProcess:
        """Start `python -m arguments`, on top of this process's environment."""
        merged = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        return self.start(name, (sys.executable, "-m", *arguments), merged)

    def stop_all(self) -> None:
        """Stop them, the newest first."""
        for process in reversed(self.started):
            process.stop()
        self.started.clear()
