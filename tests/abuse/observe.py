"""What a process uses, and how long another user waits for a first token."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.answers import talk
from tests.support.clients.socket_client import ClientLoop, SocketClient

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """Open files, OS threads, resident megabytes, CPU seconds so far."""

    files: int
    threads: int
    megabytes: float
    cpu: float


def use_of(pid: int) -> Use:
    """What the process uses now."""
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return Use(
        files=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
        megabytes=int(status["VmRSS"].split()[0]) / 1024,
        cpu=(int(fields[11]) + int(fields[12])) / TICKS,
    )


class Bystander:
    """Another user, with a connection of their own for each run."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._loop = ClientLoop()

    def first_token(self) -> float:
        """Seconds from the start of the connection to the first token of a run."""
        began = time.monotonic()
        client = SocketClient(self._loop, self._url, self._token)
        try:
            client.connect()
            run_id = client.run(talk(3), f"bystander-{time.monotonic_ns()}")
            client.wait_for("message.delta", lambda event: event["run_id"] == run_id, within=30)
            return time.monotonic() - began
        finally:
            client.disconnect()

    def first_tokens(self, count: int = 5) -> float:
        """The median of some, a moment apart; infinity if one of them never comes."""
        seconds = []
        for _ in range(count):
            try:
                seconds.append(self.first_token())
            except Exception:  # noqa: BLE001 - whatever kept it from coming is the finding
                return float("inf")
            time.sleep(0.2)
        return statistics.median(seconds)

    def leave(self) -> None:
        """End the thread of its connections."""
        self._loop.stop()
