"""Green threads by eventlet."""

import os
import selectors
import socket
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Eventlet:
    """See `Backend`."""

    async_mode = pool = "eventlet"

    def patch(self) -> None:
        """See `Backend`."""
        os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # read when eventlet is imported
        warnings.filterwarnings("ignore", category=Warning, message=r"\s*Eventlet is deprecated")
        import eventlet

        # Not os: Celery calls os.write in a signal handler, which a green one does not allow.
        eventlet.monkey_patch(os=False)

    def offload(self, work: Callable[..., T], *args: Any) -> T:
        """In one of eventlet's twenty threads."""
        from eventlet import tpool

        result: T = tpool.execute(work, *args)
        return result

    def native_threading(self) -> Any:
        """The copy that eventlet keeps."""
        from eventlet import patcher

        return patcher.original("threading")

    def spawn(self, work: Callable[..., None], *args: Any) -> None:
        """Start a bare greenlet."""
        import eventlet

        eventlet.spawn_n(work, *args)

    def wait_for(self, ready: selectors.BaseSelector) -> None:
        """Have the hub wait for it."""
        from eventlet.hubs import trampoline

        trampoline(ready, read=True)

    def socket_class(self) -> type[socket.socket]:
        """eventlet's."""
        from eventlet.green import socket as green

        made: type[socket.socket] = green.socket
        return made

    def without_waiting(self, sock: Any) -> Any:
        """The one that a green socket is wrapped around."""
        return sock.fd
