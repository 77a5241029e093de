"""TCP ports of this machine."""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def is_free(host: str, port: int) -> bool:
    """Whether no process listens on the port. A listener with SO_REUSEPORT counts, too."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that was free on the loopback interface a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def remembered_port(file: Path) -> int:
    """Return the port stored in `file` if it is free, else a free one, which is then stored."""
    stored = file.read_text().strip() if file.exists() else ""
    if stored.isdecimal() and is_free(LOOPBACK, int(stored)):
        return int(stored)
    port = free_port()
    file.write_text(f"{port}\n")
    return port
