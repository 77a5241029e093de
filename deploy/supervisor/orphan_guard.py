"""Ends the process groups of a supervisor that died without ending them itself.

The supervisor holds the write end of this process's standard input. Lines on it name the groups
that live: `+STAGE PID` and `-STAGE PID`. The kernel closes the pipe with the supervisor, however
it dies; what is still listed then is ended, highest stage first.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

PATIENCE = 3.0  # seconds for a stage between SIGTERM and SIGKILL: nobody reads its output any more


class Guard:
    """The supervisor's end of the pipe."""

    def __init__(self, *, keep_open: tuple[int, ...] = ()) -> None:
        """Start the guard. It holds the descriptors `keep_open` until the last group is gone."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.supervisor.orphan_guard"],
            stdin=subprocess.PIPE,
            pass_fds=keep_open,
            start_new_session=True,
        )

    def enter(self, stage: int) -> None:
        """List the calling process; for a child between fork and exec, so that none is missed."""
        self._tell(f"+{stage} {os.getpid()}\n")

    def leave(self, stage: int, pid: int) -> None:
        """Strike the group off the list."""
        self._tell(f"-{stage} {pid}\n")

    def close(self) -> None:
        """Let the guard end, and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a guard that was killed protects no more
            os.write(self._process.stdin.fileno(), line.encode())


def main() -> None:
    """Read the list until the supervisor is gone, then end what is left on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    listed = read_list()
    for stage in sorted({stage for stage, _ in listed}, reverse=True):
        end_groups([pid for at, pid in listed if at == stage])


def read_list() -> set[tuple[int, int]]:
    """What is on the list when the pipe closes: (stage, process group)."""
    listed: set[tuple[int, int]] = set()
    for line in sys.stdin:
        stage, pid = (int(word) for word in line[1:].split())
        (listed.add if line[0] == "+" else listed.discard)((stage, pid))
    return listed


def end_groups(groups: list[int]) -> None:
    """SIGTERM, then SIGKILL for those that outlive PATIENCE."""
    alive = [group for group in groups if _signal(group, signal.SIGTERM)]
    deadline = time.monotonic() + PATIENCE
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = [group for group in alive if _signal(group, 0)]
    for group in alive:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send it; False if no process of the group is left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
