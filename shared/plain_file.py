"""Reading a file that an operator names: whatever stands there, it neither waits nor grows.

A named pipe would wait for a writer, a device may have no end, and a folder is no file.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

MOST_BYTES: Final = 4_000_000


def open_plain(path: Path) -> BinaryIO:
    """Open the file for reading. Raises OSError, and ValueError if it is neither a regular file
    nor /dev/null."""
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - Path has no opener
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) and not _is_null(status):
        file.close()
        raise ValueError("is not a regular file")
    return file


def read(path: Path) -> bytes:
    """Return the content. Raises OSError, and ValueError if it is no regular file or too large."""
    with open_plain(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES} bytes")
    return content


def read_if_there(path: Path) -> bytes:
    """Return the content; nothing if there is no such file, or no regular one. Raises OSError."""
    try:
        return read(path)
    except (FileNotFoundError, ValueError):
        return b""


def _is_null(status: os.stat_result) -> bool:
    """Whether it is /dev/null, by which people say that a file is empty."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
