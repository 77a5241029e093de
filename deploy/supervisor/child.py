"""A role (what to run) and its running process."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from deploy.supervisor.orphan_guard import OrphanGuard

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
    # Asks one of the roles that share this function; the id of the process that answered, 0 if it
    # did not say, None if none did.
    who_answers: Callable[[], int | None] | None = None


class Child:
    """A running process of a role, leader of its own session and process group."""

    def __init__(self, role: Role, guard: OrphanGuard) -> None:
        self._role = role
        self._guard = guard
        self._partial = b""
        self.output_closed = False  # by the child, which may go on running
        # The child puts itself on the guard's list before it runs the command, so that the death of
        # the supervisor cannot orphan it at any moment. preexec_fn is safe here: the supervisor has
        # one thread.
        self._process = subprocess.Popen(
            role.command,
            env=dict(role.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=lambda: guard.add_this_process(role.stage),
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> int:
        """The file descriptor of its output."""
        return self._pipe.fileno()

    def lines(self) -> Iterator[str]:
        """Read the whole lines written since the last call, without waiting."""
        while chunk := self._read():
            *whole, self._partial = (self._partial + chunk).split(b"\n")
            if len(self._partial) > LONGEST_LINE:
                whole.append(self._partial)
                self._partial = b""
            for line in whole:
                yield line.decode(errors="replace").rstrip("\r")

    def _read(self) -> bytes | None:
        chunk = self._pipe.read(READ_SIZE)
        self.output_closed = chunk == b""
        return chunk

    def remaining_lines(self) -> Iterator[str]:
        """Read the rest of the output of a child that has ended; the last line may be cut."""
        yield from self.lines()
        if self._partial:
            yield self._partial.decode(errors="replace")

    def has_ended(self) -> bool:
        """Whether the leader has ended. It stays a zombie until `reap`: its group id stays ours."""
        if self._process.returncode is not None:
            return True
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def terminate(self) -> None:
        """Send SIGTERM to the leader, which ends its own children."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the whole group."""
        os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Kill the rest of the group, reap the leader, and return its exit code."""
        self.kill()
        code = self._process.wait()
        self._guard.remove(self._role.stage, self.pid)
        return code

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()
