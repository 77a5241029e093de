"""Ends the process groups of a supervisor that died without ending them itself.

Problem: a supervisor that is killed with SIGKILL cannot stop its children, and a second set of
processes on the same data would damage it.
Idea: a small process of its own reads a list of process groups from its standard input, whose
write end only the supervisor holds: `+STAGE PID` adds a group, `-STAGE PID` removes it. The kernel
closes the pipe when the supervisor ends, however it ends.
Invariant: every group that lives is on the list (a child adds itself between fork and exec), so
whatever is listed when the pipe closes is ended, highest stage first.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

KILL_AFTER = 3.0  # seconds for a stage between SIGTERM and SIGKILL; its output has no reader now


class OrphanGuard:
    """The guard process, as the supervisor uses it."""

    def __init__(self, *, keep_open: tuple[int, ...] = ()) -> None:
        """Start the process. It holds the descriptors `keep_open` until the last group is gone."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy.supervisor.orphan_guard"],
            stdin=subprocess.PIPE,
            pass_fds=keep_open,
            start_new_session=True,
        )

    def add_this_process(self, stage: int) -> None:
        """List the calling process; for a child between fork and exec, so that none is missed."""
        self._write(f"+{stage} {os.getpid()}\n")

    def remove(self, stage: int, pid: int) -> None:
        """Take the process group off the list."""
        self._write(f"-{stage} {pid}\n")

    def close(self) -> None:
        """Close the list, so that the process ends what is on it, and wait for its end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a guard that was killed protects no more
            os.write(self._process.stdin.fileno(), line.encode())


def main() -> None:
    """Read the list until the supervisor is gone, then end the groups on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    listed = read_list()
    for stage in sorted({stage for stage, _ in listed}, reverse=True):
        end_groups([pid for at, pid in listed if at == stage])


def read_list() -> set[tuple[int, int]]:
    """Return what is on the list when the pipe closes: (stage, process group)."""
    listed: set[tuple[int, int]] = set()
    for line in sys.stdin:
        stage, pid = (int(word) for word in line[1:].split())
        (listed.add if line[0] == "+" else listed.discard)((stage, pid))
    return listed


def end_groups(groups: list[int]) -> None:
    """Send SIGTERM, and SIGKILL to those that still run after KILL_AFTER."""
    alive = [group for group in groups if _signal(group, signal.SIGTERM)]
    deadline = time.monotonic() + KILL_AFTER
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = [group for group in alive if _signal(group, 0)]
    for group in alive:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send the signal; False if the group has no process any more."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
