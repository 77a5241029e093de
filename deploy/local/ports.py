"""TCP ports of this machine."""

from collections.abc import Collection
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


def free_port(host: str = LOOPBACK, besides: Collection[int] = ()) -> int:
    """A port that was free on that address a moment ago, and is none of `besides`: ports that were
    chosen before and on which nothing listens yet. Raises OSError if there is none."""
    while True:  # the system offers a random one each time
        with bound(host, 0) as probe:
            port: int = probe.getsockname()[1]
        if port not in besides:
            return port


def remembered_port(file: Path, besides: Collection[int] = ()) -> int:
    """Return the port stored in `file` if it is free and none of `besides`, else such a one, which
    is then stored."""
    stored = plain_file.read_if_there(file).strip()[:6]
    stored_port = int(stored) if stored.isdigit() else 0
    if 0 < stored_port < 65536 and stored_port not in besides and is_free(LOOPBACK, stored_port):
        return stored_port
    port = free_port(besides=besides)
    file.write_text(f"{port}\n")
    return port
