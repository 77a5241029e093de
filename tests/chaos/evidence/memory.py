"""How much memory each process holds, from after its warm-up to the end of the load."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Life:
    """One process: (seconds since it was first seen, bytes, threads, files) again and again."""

    name: str
    pid: int
    born: float
    notes: list[tuple[float, int, int, int]] = field(default_factory=list)

    def after(self, warm_up: float) -> tuple[float, int, int, int] | None:
        """The first note after so many seconds."""
        return next((note for note in self.notes if note[0] >= warm_up), None)


class Memory:
    """Notes of all processes that ever had a slot."""

    def __init__(self) -> None:
        self.lives: dict[int, Life] = {}

    def note(self, name: str, pid: int) -> None:
        """Look at a process; one that is gone is passed over."""
        life = self.lives.setdefault(pid, Life(name, pid, time.monotonic()))
        try:
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
            threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
            files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return
        life.notes.append((time.monotonic() - life.born, resident, threads, files))
