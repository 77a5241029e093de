"""One role and the process that plays it."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from deploy.supervisor.orphan_guard import Guard

READ_SIZE = 64 * 1024
LONGEST_LINE = 16 * 1024  # longer ones are shown in pieces, so that memory stays bounded


@dataclass(frozen=True)
class Role:
    """What to run. Stages start in ascending order, each when the one below is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stage: int = 0
    is_ready: Callable[[], bool] | None = None
    grace: timedelta = timedelta(seconds=10)  # between SIGTERM and SIGKILL


class Child:
    """A running process of a role, leader of its own session and process group."""

    def __init__(self, role: Role, guard: Guard) -> None:
        self._role = role
        self._guard = guard
        self._partial = b""
        self.is_silent = False  # whether it has closed its output, which may be long before it ends
        # The child puts itself on the guard's list, so no moment exists at which the death of the
        # supervisor would orphan it. preexec_fn is safe here: the supervisor has one thread.
        self._process = subprocess.Popen(
            role.command,
            env=dict(role.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=lambda: guard.enter(role.stage),
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> int:
        """The descriptor that its output is read from."""
        return self._pipe.fileno()

    def lines(self) -> Iterator[str]:
        """What it has written since the last call, in whole lines, without waiting."""
        while chunk := self._read():
            *whole, self._partial = (self._partial + chunk).split(b"\n")
            if len(self._partial) > LONGEST_LINE:
                whole.append(self._partial)
                self._partial = b""
            for line in whole:
                yield line.decode(errors="replace").rstrip("\r")

    def _read(self) -> bytes | None:
        chunk = self._pipe.read(READ_SIZE)
        self.is_silent = chunk == b""
        return chunk

    def last_words(self) -> Iterator[str]:
        """The rest of its output; for a child that has ended."""
        yield from self.lines()
        if self._partial:
            yield self._partial.decode(errors="replace")

    def has_ended(self) -> bool:
        """Whether the leader has ended. It stays a zombie until `bury`: its group id is ours."""
        if self._process.returncode is not None:
            return True
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def ask_to_end(self) -> None:
        """SIGTERM to the leader, which knows how to end its own children."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> int:
        """End what the leader left in its group, reap it, and return its exit code."""
        self.kill()
        code = self._process.wait()
        self._guard.leave(self._role.stage, self.pid)
        return code

    def close(self) -> None:
        """Give the pipe back."""
        self._pipe.close()
