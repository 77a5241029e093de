"""Reads what the processes of this machine say about themselves. Asks nothing else."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.probes.pulse import FOLDER, SIZE

STALE: Final = 15.0  # seconds after which a process that said nothing does not live
ASKED_WITHIN: Final = 30.0  # seconds for which an answer about readiness counts
READS: Final = 3  # of a file that was being written


@dataclass(frozen=True)
class Said:
    """One process. `live`, `ready`: what is wrong, in words; empty if nothing is."""

    role: str
    pid: int
    live: tuple[str, ...]
    ready: tuple[str, ...]


def processes(home: Path, role: str = "") -> list[Said]:
    """Return what each running process of the role (of any) said, in order. Files of processes that
    have died are deleted."""
    try:
        files = sorted((home / FOLDER).iterdir())
    except OSError:
        return []
    wanted = [file for file in files if role in ("", file.name.partition(".")[0])]
    return [said for file in wanted for said in _read(file)]


def _read(path: Path) -> Iterator[Said]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # it ended just now
    try:
        if _is_abandoned(file):
            path.unlink(missing_ok=True)
            return
        name, _, pid = path.name.partition(".")
        said = _parsed(file)
        live = ("it says nothing readable",) if said is None else tuple(_not_live(said))
        ready = () if said is None else tuple(_not_ready(said))
        both = tuple(dict.fromkeys(live + ready))
        yield Said(name, int(pid) if pid.isdigit() else 0, live, both)
    finally:
        os.close(file)


def _is_abandoned(file: int) -> bool:
    """Whether no process holds the lock. A process that starts just now may have to try again, so
    a shared lock is taken, and for a moment only."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _parsed(file: int) -> Mapping[str, Any] | None:
    for _ in range(READS):
        try:
            said = json.loads(os.pread(file, SIZE, 0))
        except ValueError:
            time.sleep(0.05)
            continue
        return said if isinstance(said, dict) else None
    return None


def _not_live(said: Mapping[str, Any]) -> Iterator[str]:
    age = time.monotonic() - said["at"]
    if age > STALE:
        yield f"it has said nothing for {age:.0f} s"
    yield from _failed(said["live"])


def _not_ready(said: Mapping[str, Any]) -> Iterator[str]:
    if said["asked_at"] is None:
        yield "it has only just started"
    elif time.monotonic() - said["asked_at"] > ASKED_WITHIN:
        yield "Redis or the database does not answer"
    yield from _failed(said["ready"])


def _failed(checks: Mapping[str, bool]) -> Iterator[str]:
    yield from (name for name, works in checks.items() if not works)
