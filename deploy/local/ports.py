"""TCP ports of this machine."""

from pathlib import Path

from shared import plain_file
from shared.listening import LOOPBACK, bound, reason

__all__ = ["LOOPBACK", "free_port", "is_free", "obstacle", "remembered_port"]


def is_free(host: str, port: int) -> bool:
    """Whether no process listens on the port. A listener with SO_REUSEPORT counts, too."""
    return obstacle(host, port) is None


def obstacle(host: str, port: int) -> str | None:
    """Return why nothing can listen there, and what to do; None if something can."""
    try:
        bound(host, port).close()
    except OSError as error:
        return reason(error, host, port)
    return None


def free_port(host: str = LOOPBACK) -> int:
    """A port that was free on that address a moment ago. Raises OSError if there is none."""
    with bound(host, 0) as probe:
        port: int = probe.getsockname()[1]
    return port


def remembered_port(file: Path) -> int:
    """Return the port stored in `file` if it is free, else a free one, which is then stored."""
    stored = plain_file.read_if_there(file).strip()[:6]
    if stored.isdigit() and 0 < int(stored) < 65536 and is_free(LOOPBACK, int(stored)):
        return int(stored)
    port = free_port()
    file.write_text(f"{port}\n")
    return port
