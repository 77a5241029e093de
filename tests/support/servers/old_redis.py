"""Installs the oldest Redis that Holdfast supports, from a Python package that brings the server.

To renew the lock, edit `redis-6.2.in` and run in this folder `uv pip compile --generate-hashes
--no-header --no-emit-index-url --no-emit-find-links --universal --python-version 3.11 redis-6.2.in
-o redis-6.2.lock`.
"""

from __future__ import annotations

from pathlib import Path

from deploy.local.embedded_redis import RedisBinary
from tests.support.locked_environment import locked_environment

NAME = "redis-6.2"


def oldest_binary() -> RedisBinary:
    """The server program. Raises InstallError if it cannot be installed."""
    lock = Path(__file__).parent / f"{NAME}.lock"
    return RedisBinary(locked_environment(NAME, lock) / "bin" / "redis-server", "system")
