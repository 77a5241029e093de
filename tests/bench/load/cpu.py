"""What the kernel says a process has used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

Pids = Mapping[str, list[int]]  # role -> its processes


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with its ended children, in steps of 1/TICK seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK


def resident_bytes(pid: int) -> int:
    """Memory that the process has in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def cpu_by_role(pids: Pids) -> dict[str, float]:
    """Seconds so far, summed per role."""
    return {role: sum(map(cpu_seconds, members)) for role, members in pids.items()}


def memory_by_role(pids: Pids) -> dict[str, int]:
    """Resident bytes, summed per role."""
    return {role: sum(map(resident_bytes, members)) for role, members in pids.items()}
