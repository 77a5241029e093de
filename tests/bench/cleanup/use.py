"""What the processes and the database have used so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.bench.load.cpu import cpu_seconds
from tests.support.servers.stack import Stack

PARENT = 1  # its place in /proc/PID/stat behind the name


@dataclass(frozen=True)
class Use:
    """CPU seconds by role; of PostgreSQL also its transactions, and the rows that it read."""

    cpu: dict[str, float]
    commits: int
    rows_read: int


def use_of(stack: Stack) -> Use:
    """As of now."""
    roles = {
        "web": [process.pid for process in stack.web],
        "worker": [process.pid for process in stack.workers],
        "maintenance": [stack.maintenance.pid],
        "redis": [stack.redis.pid],
        "gateway": [stack.gateway.pid],
    }
    commits = rows_read = 0
    if not stack.db.is_sqlite:
        backend, commits, rows_read = stack.read(_asked)
        postmaster = _parent(backend)
        roles["PostgreSQL"] = [postmaster, *_children(postmaster)]
    cpu = {role: sum(map(cpu_seconds, pids)) for role, pids in roles.items()}
    return Use(cpu, commits, rows_read)


def _asked(tx: Session) -> tuple[int, int, int]:
    found = tx.execute(
        text(
            "SELECT pg_backend_pid(), xact_commit, tup_returned"
            " FROM pg_stat_database WHERE datname = current_database()"
        )
    ).one()
    return found[0], found[1], found[2]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[PARENT])


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if _parent(int(folder.name)) == pid:
                found.append(int(folder.name))
        except OSError:  # it has just ended
            continue
    return found
