"""The one place that knows eventlet.

Everything else is written with the standard library's `threading`, `queue` and `time`. In a process
that called `patch()` first these are green; in tests and in the maintenance worker they are real
threads. Leaving eventlet therefore means rewriting this file (docs/adr/0003).
"""

import os
import selectors
import socket
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_patched = False
# Eventlet takes these away when it patches; in a green process only `wait_for` may wait for one.
_Selector = selectors.DefaultSelector


def patch() -> None:
    """Make this process green. Must run before any other import; calling it again does nothing.

    Raises RuntimeError if psycopg was imported before, since its wait function is then the C one,
    which stops every other greenlet for the length of a query.
    """
    global _patched
    if _patched:
        return
    # Both are read when eventlet and psycopg are imported, hence the environment.
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"
    warnings.filterwarnings("ignore", category=Warning, message=r"\s*Eventlet is deprecated")
    import eventlet

    # Not os: a green os.write cannot be called by a signal handler, and Celery does just that.
    eventlet.monkey_patch(os=False)
    _patched = True
    _refuse_blocking_psycopg()


def _refuse_blocking_psycopg() -> None:
    from psycopg import waiting

    if waiting.wait is not waiting.wait_select:
        raise RuntimeError("psycopg was imported before runtime.patch(): it would block the hub")


def is_patched() -> bool:
    """Whether this process is green."""
    return _patched


def offload(work: Callable[..., T], *args: Any) -> T:
    """Run blocking `work` in an OS thread while the other greenlets go on; its result or exception.

    In a process that is not green the call is made directly.
    """
    if not _patched:
        return work(*args)
    from eventlet import tpool

    result: T = tpool.execute(work, *args)
    return result


def native_thread(target: Callable[[], None], name: str) -> Any:
    """A started OS thread, daemonic, that goes on when the green hub is stuck.

    The target must not log or take a lock that green code takes: a green lock cannot wake a
    waiter of another OS thread.
    """
    thread = _original("threading").Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def native_event() -> Any:
    """A `threading.Event` that may be shared between a native thread and green code.

    Green code may `set`, `clear` and ask `is_set`; only the native thread may `wait`.
    """
    return _original("threading").Event()


def _original(module: str) -> Any:
    if not _patched:
        return __import__(module)
    from eventlet import patcher

    return patcher.original(module)


def spawn_from_signal(work: Callable[..., None], *args: Any) -> None:
    """Start `work` soon, in a thread of its own. For signal handlers, which run inside the hub:
    there nothing may block, not even the start of a `threading.Thread`."""
    if _patched:
        import eventlet

        eventlet.spawn_n(work, *args)
        return
    import threading

    threading.Thread(target=work, args=args, daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; several processes may listen on one port (SO_REUSEPORT)."""
    import eventlet

    listener: socket.socket = eventlet.listen((host, port), backlog=4096, reuse_port=True)
    # Connections inherit it. Without it the kernel keeps a small frame back until the client has
    # acknowledged the one before, which clients do up to 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(listener: socket.socket, app: Any, *, max_connections: int) -> None:
    """Answer HTTP and WebSocket connections until the listener is closed."""
    from eventlet import wsgi

    wsgi.server(
        listener,
        app,
        max_size=max_connections,
        log_output=False,
        keepalive=75,
        socket_timeout=60,
        debug=False,
    )


def selector() -> selectors.BaseSelector:
    """The operating system's selector. Nobody may wait for it but by `wait_for`."""
    return _Selector()


def wait_for(ready: selectors.BaseSelector) -> None:
    """Wait until a file of the selector is ready, in a green process while others go on."""
    if not _patched:
        ready.select()
        return
    from eventlet.hubs import trampoline

    trampoline(ready, read=True)


def accept_websocket(environ: Any, start_response: Any) -> socket.socket | None:
    """Answer the WebSocket handshake of a request and take its connection from the server.

    The socket does not block and is the caller's alone; None: the request was none.
    """
    from eventlet.websocket import WebSocketWSGI

    taken: list[socket.socket] = []

    def take(websocket: Any) -> None:
        websocket.websocket_closed = True  # else it would be closed when this returns
        # Without its file the server's own object can neither read, shut nor close it.
        number = websocket.socket.fd.detach()
        taken.append(_original("socket").socket(fileno=number))

    shake = WebSocketWSGI(take)
    shake.support_legacy_versions = False
    shake(environ, start_response)
    if not taken:
        return None
    taken[0].setblocking(False)
    return taken[0]
