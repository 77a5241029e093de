"""What a process needs of its threads, and how threads of the operating system give it.

`Backend` is the interface; `OsThreads` is for processes that are not green: maintenance, beat,
commands, tests. The green ones are `with_eventlet.py` and `with_gevent.py`.
"""

import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Backend(Protocol):
    """One kind of threads. `async_mode`: Flask-SocketIO's name of it; `pool`: Celery's."""

    async_mode: str
    pool: str

    def patch(self) -> None:
        """Make `threading`, `queue`, `socket`, `select` and `time` of this process green."""

    def offload(self, work: Callable[..., T], *args: Any) -> T:
        """See `runtime.offload`."""

    def native_threading(self) -> Any:
        """The module `threading` with threads, locks and events of the operating system."""

    def spawn(self, work: Callable[..., None], *args: Any) -> None:
        """See `runtime.spawn`."""

    def wait_for(self, ready: selectors.BaseSelector) -> None:
        """See `runtime.wait_for`."""

    def socket_class(self) -> type[socket.socket]:
        """The class of sockets that let other threads run while they wait."""

    def without_waiting(self, sock: Any) -> Any:
        """The socket whose methods do not wait, of one of `socket_class`."""


class OsThreads:
    """Threads of the operating system."""

    async_mode = pool = "threads"

    def patch(self) -> None:
        """There is nothing to patch."""

    def offload(self, work: Callable[..., T], *args: Any) -> T:
        """Call it: others go on anyway."""
        return work(*args)

    def native_threading(self) -> Any:
        """The module itself."""
        return threading

    def spawn(self, work: Callable[..., None], *args: Any) -> None:
        """Start a daemonic thread."""
        threading.Thread(target=work, args=args, daemon=True).start()

    def wait_for(self, ready: selectors.BaseSelector) -> None:
        """Wait in the selector."""
        ready.select()

    def socket_class(self) -> type[socket.socket]:
        """That of the standard library."""
        return socket.socket

    def without_waiting(self, sock: Any) -> Any:
        """Itself: the flag MSG_DONTWAIT is enough."""
        return sock
