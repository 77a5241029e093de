"""`holdfast up` as a person starts it: in an empty home, on free ports."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

from deploy.local.ports import free_port
from tests.support.servers.processes import Processes, RunningProcess, is_alive

# What the caller's environment must not decide for it.
THEIRS = ("REDIS_URL", "DATABASE_URL", "AUTH_TOKEN", "AUTH_DISABLED", "HERMES_API_KEY")


class UpStack:
    """One home, and what runs on it."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.home = folder / "holdfast"
        self.port = free_port()
        self._processes = processes
        environment = {name: text for name, text in os.environ.items() if name not in THEIRS}
        self._environment = environment | {
            "HOME": str(folder),
            "HERMES_HOME": str(folder / "no-hermes"),
            "HOLDFAST_HOME": str(self.home),
            "HERMES_URL": f"http://127.0.0.1:{free_port()}",
        }
        self.supervisor: RunningProcess

    def start(self, *options: str) -> None:
        """Start it and wait until it says that it runs."""
        name = f"up.{len(self._processes.started)}"
        command = (sys.executable, "-m", "deploy.cli", "up", "--port", str(self.port), *options)
        self.supervisor = self._processes.start(name, command, self._environment)
        self.supervisor.wait_for_log("stop      Ctrl-C", within=60)

    @property
    def url(self) -> str:
        """The address that its banner shows."""
        return self._banner_row("address")

    @property
    def token(self) -> str:
        """The token that its banner shows."""
        return self._banner_row("token")

    def command_lines(self) -> dict[int, str]:
        """Id and command of every living process that was started for this home."""
        mark = f"HOLDFAST_HOME={self.home}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended meanwhile, or is another account's
                variables = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_text().replace("\0", " ").strip()
                if mark in variables and is_alive(int(folder.name)):
                    found[int(folder.name)] = command
        return found

    def web(self) -> int:
        """The id of the web process; 0 while there is none."""
        lines = self.command_lines().items()
        return next((pid for pid, line in lines if line.endswith("-m web")), 0)

    def family(self) -> set[int]:
        """The supervisor and all its descendants, and all processes in their sessions."""
        parents, sessions = {}, {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                parents[int(stat.parent.name)] = int(fields[1])
                sessions[int(stat.parent.name)] = int(fields[3])
        family = {self.supervisor.pid}
        while grown := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= grown
        return family | {pid for pid, session in sessions.items() if session in family}

    def _banner_row(self, row: str) -> str:
        found = re.search(rf"^  {row} +(\S+)", self.supervisor.log(), re.MULTILINE)
        assert found is not None
        return found[1]
