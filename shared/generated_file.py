"""Files that are made from code: written anew, or compared with what is there."""

import sys
from collections.abc import Sequence
from pathlib import Path


def write_or_check(file: Path, text: str, module: str, arguments: Sequence[str]) -> int:
    """Write the file; with `--check` among the arguments only say if it is out of date. `module`:
    what renews it. Return the exit code."""
    if "--check" not in arguments:
        file.write_text(text, encoding="utf-8")
        return 0
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{file.name} is out of date; run: python -m {module}\n")
    return 1
