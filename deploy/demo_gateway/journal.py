"""A journal on disk of what the gateway did; it survives a kill of the process. For tests.

One JSON object per line, appended with one write each: `post`, `refused`, `token`, `stop`, `end`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Journal:
    """Appends to a file; without a file it does nothing."""

    def __init__(self, file: Path | None = None) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(file, flags, 0o600) if file is not None else None

    def write(self, what: str, run_id: str, **fields: Any) -> None:
        """Append one line about a run ("" if it concerns none)."""
        if self._file is not None:
            line = {"what": what, "run_id": run_id, "at": time.time(), "pid": os.getpid(), **fields}
            os.write(self._file, json.dumps(line).encode() + b"\n")
