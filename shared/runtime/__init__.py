"""The one place that knows which library makes the threads of a process.

All other modules use `threading`, `queue` and `time` of the standard library. In a process that
called `patch()` first (web and worker) these are green, by eventlet or by gevent (the setting
RUNTIME); in the maintenance worker and in tests they are those of the operating system. A library
is left or added by one module here (docs/adr/0003). Start with `backends.py`. Imports of `shared`
only what has no other library below it.
"""

import os
import selectors
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from shared import listening
from shared.errors import SettingsError
from shared.http_protocol import ConnectionSteps
from shared.library_variables import drop_library_variables
from shared.runtime import eventlet_http
from shared.runtime.backends import Backend, OsThreads
from shared.runtime.with_eventlet import Eventlet
from shared.runtime.with_gevent import Gevent

T = TypeVar("T")

BACKLOG = 4096  # connections that wait to be accepted

GREEN: Final[Mapping[str, Callable[[], Backend]]] = {"eventlet": Eventlet, "gevent": Gevent}
DEFAULT: Final = "eventlet"
VARIABLE: Final = "RUNTIME"

_backend: Backend = OsThreads()
# Green libraries remove or replace these; in a green process only `wait_for` may wait for one.
_Selector = selectors.DefaultSelector


def patch() -> None:
    """Make this process green. Call it before any other import; a second call does nothing.

    Which library does it is read from the environment here, before there are settings; an unknown
    name is left for them to refuse. Exits if the library is not installed. Raises RuntimeError if
    psycopg was imported before: its wait function is then the C one, which blocks all other
    greenlets while a query runs.
    """
    global _backend
    if is_patched():
        return
    drop_library_variables(os.environ)
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"  # read when psycopg is imported
    backend = GREEN.get(_chosen(), Eventlet)()
    backend.patch()
    _backend = backend
    _refuse_blocking_psycopg()


def _chosen() -> str:
    """As settings are read: an empty variable is not set, and quotes do not count."""
    return os.environ.get(VARIABLE, "").strip("\"' ").lower() or DEFAULT


def _refuse_blocking_psycopg() -> None:
    from psycopg import waiting

    if waiting.wait is not waiting.wait_select:
        raise RuntimeError("psycopg was imported before runtime.patch(): it would block the hub")


def is_patched() -> bool:
    """Whether this process is green."""
    return not isinstance(_backend, OsThreads)


def async_mode() -> str:
    """Flask-SocketIO's name of this process' threads."""
    return _backend.async_mode


def pool() -> str:
    """Celery's name of a pool of this process' threads."""
    return _backend.pool


def offload(work: Callable[..., T], *args: Any) -> T:
    """Run blocking `work` in an OS thread, so that other greenlets go on; return its result.

    In a process that is not green it is called directly. Raises what `work` raises.
    """
    return _backend.offload(work, *args)


def native_thread(target: Callable[[], None], name: str) -> Any:
    """Start a daemonic OS thread, which runs even while the green hub is blocked.

    `target` must not take a lock that green code takes, but for a `native_lock`: a green lock
    cannot wake a waiter in another OS thread.
    """
    thread = _backend.native_threading().Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def native_event() -> Any:
    """Make a `threading.Event` that a native thread and green code may share.

    Green code may call `set`, `clear` and `is_set`; only the native thread may call `wait`.
    """
    return _backend.native_threading().Event()


def native_lock() -> Any:
    """Make a `threading.RLock` that OS threads and green code may share. All green code of an OS
    thread counts as one holder, so whoever holds it must not let another greenlet run."""
    return _backend.native_threading().RLock()


def has_input(sock: Any) -> bool:
    """Whether a read of this green socket would not wait: there are bytes, its end, or an error.
    Lets no other thread run."""
    return _peeked(sock) is not None


def spawn(work: Callable[..., None], *args: Any) -> None:
    """Start `work` in a thread that nobody joins: a bare greenlet where the process is green, which
    costs a tenth of a `threading.Thread`. `work` handles its own errors."""
    _backend.spawn(work, *args)


def spawn_from_signal(work: Callable[..., None], *args: Any) -> None:
    """Run `work` soon, in a thread of its own. For signal handlers: they run inside the hub, where
    nothing may block, not even the start of a `threading.Thread`."""
    _backend.spawn(work, *args)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; several processes may listen on one port (SO_REUSEPORT).

    Raises SettingsError with the reason why it cannot.
    """
    try:
        listener = listening.bound(host, port, share=True, make=_backend.socket_class())
        listener.listen(BACKLOG)
    except OSError as error:
        raise SettingsError([listening.reason(error, host, port)]) from error
    # Connections inherit it. Else the kernel delays a small frame until the client has acknowledged
    # the one before, which clients do up to 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def is_closed_by_peer(sock: socket.socket) -> bool:
    """Whether the other side of an accepted connection has closed it, or its half of it. Does not
    wait, and takes nothing of what was sent."""
    return _peeked(sock) == b""


def _peeked(sock: Any) -> bytes | None:
    """The next byte, which stays there; b"" at the end or after an error; None if none is there."""
    try:
        byte: bytes = _backend.without_waiting(sock).recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    return byte


def http_connections(
    listener: socket.socket, app: Any
) -> Callable[[socket.socket, Any, ConnectionSteps], None]:
    """A function that serves the requests of one accepted connection to a WSGI application, until
    the connection ends: `serve(sock, address, steps)`. Raises OSError when the client breaks it."""
    return eventlet_http.http_connections(listener, app)


def selector() -> selectors.BaseSelector:
    """Make a selector of the operating system. Wait for it only with `wait_for`."""
    return _Selector()


def wait_for(ready: selectors.BaseSelector) -> None:
    """Wait until a file of the selector is ready; in a green process other greenlets go on."""
    _backend.wait_for(ready)


def accept_websocket(environ: Any, start_response: Any) -> socket.socket | None:
    """Answer the WebSocket handshake of a request and detach its connection from the server.

    Returns the socket, non-blocking and owned by the caller; None if it was no such request.
    """
    return eventlet_http.accept_websocket(environ, start_response, _backend.without_waiting)
