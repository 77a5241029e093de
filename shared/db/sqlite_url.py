"""What the URL of a SQLite database says besides its file. Pure."""

from typing import Final
from urllib.parse import parse_qs

BUSY: Final = 1.0  # seconds that a statement waits for another writer


def is_sqlite(url: str) -> bool:
    """Whether this is the URL of a SQLite database."""
    return url.startswith("sqlite")


def busy_seconds(url: str) -> float:
    """Return for how many seconds a statement waits for another writer: `?timeout=` of the URL, or
    `BUSY`. Raises ValueError if that is not a positive number."""
    given = parse_qs(url.partition("?")[2]).get("timeout")
    seconds = float(given[0]) if given else BUSY
    if not 0 < seconds < 3600:
        raise ValueError(f"timeout={given}")
    return seconds
