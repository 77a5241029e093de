"""Asks a Redis connection whether something waits to be read, without a turn of the hub.

redis-py asks that each time it takes a connection from a pool. It uses `select.poll`, which green
libraries remove, and without it a selector, which in a green process is a turn of the hub: every
command let all other green threads run before it was sent. One read that neither waits nor takes
anything says the same. A redis-py that asks otherwise is left as it is.
"""

from typing import Any

from redis._parsers import hiredis

from shared import runtime

_as_it_is: Any = getattr(hiredis, "_socket_can_read", None)


def ask_without_waiting() -> None:
    """Have redis-py ask so, if this process is green."""
    if runtime.is_patched() and _as_it_is is not None:
        hiredis._socket_can_read = _can_read


def _can_read(sock: Any, timeout: float) -> bool:
    """Whether there are bytes, or the end. One that may wait, or has TLS, is asked as before."""
    if timeout != 0 or hasattr(sock, "pending"):
        return bool(_as_it_is(sock, timeout))
    return runtime.has_input(sock)
