"""The one place that knows eventlet.

All other modules use `threading`, `queue` and `time` of the standard library. In a process that
called `patch()` first (web and worker) these are green; in the maintenance worker and in tests they
are real. To leave eventlet, this file has to be rewritten (docs/adr/0003).
"""

import logging
import os
import selectors
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from shared import listening
from shared.errors import SettingsError
from shared.http_protocol import ConnectionSteps, HttpProtocol
from shared.library_variables import drop_library_variables

log = logging.getLogger(__name__)

T = TypeVar("T")

BACKLOG = 4096  # connections that wait to be accepted

_patched = False
# Eventlet removes these when it patches; in a green process only `wait_for` may wait for one.
_Selector = selectors.DefaultSelector


def patch() -> None:
    """Make this process green. Call it before any other import; a second call does nothing.

    Raises RuntimeError if psycopg was imported before: its wait function is then the C one, which
    blocks all other greenlets while a query runs.
    """
    global _patched
    if _patched:
        return
    drop_library_variables(os.environ)
    # Both are read when eventlet and psycopg are imported, hence the environment.
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"
    warnings.filterwarnings("ignore", category=Warning, message=r"\s*Eventlet is deprecated")
    import eventlet

    # Not os: Celery calls os.write in a signal handler, which a green one does not allow.
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
    """Run blocking `work` in an OS thread, so that other greenlets go on; return its result.

    In a process that is not green it is called directly. Raises what `work` raises.
    """
    if not _patched:
        return work(*args)
    from eventlet import tpool

    result: T = tpool.execute(work, *args)
    return result


def native_thread(target: Callable[[], None], name: str) -> Any:
    """Start a daemonic OS thread, which runs even while the green hub is blocked.

    `target` must not log, nor take a lock that green code takes: a green lock cannot wake a waiter
    in another OS thread.
    """
    thread = _original("threading").Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def native_event() -> Any:
    """Make a `threading.Event` that a native thread and green code may share.

    Green code may call `set`, `clear` and `is_set`; only the native thread may call `wait`.
    """
    return _original("threading").Event()


def _original(module: str) -> Any:
    if not _patched:
        return __import__(module)
    from eventlet import patcher

    return patcher.original(module)


def spawn(work: Callable[..., None], *args: Any) -> None:
    """Start `work` in a thread that nobody joins: a bare greenlet where the process is green, which
    costs a tenth of a `threading.Thread`. `work` handles its own errors."""
    if _patched:
        import eventlet

        eventlet.spawn_n(work, *args)
        return
    import threading

    threading.Thread(target=work, args=args, daemon=True).start()


def spawn_from_signal(work: Callable[..., None], *args: Any) -> None:
    """Run `work` soon, in a thread of its own. For signal handlers: they run inside the hub, where
    nothing may block, not even the start of a `threading.Thread`."""
    spawn(work, *args)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; several processes may listen on one port (SO_REUSEPORT).

    Raises SettingsError with the reason why it cannot.
    """
    from eventlet.green import socket as green

    try:
        listener = listening.bound(host, port, share=True, make=green.socket)
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
    raw = getattr(sock, "fd", sock)  # of a green socket, whose own methods would wait
    try:
        return not raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class _Faults:
    """Logs what eventlet's server reports, except that a client broke its connection."""

    def info(self, text: str, *args: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            log.error(text, *args)

    def debug(self, text: str, *args: Any) -> None:
        log.debug(text, *args)

    error = info


def http_connections(
    listener: socket.socket, app: Any
) -> Callable[[socket.socket, Any, ConnectionSteps], None]:
    """A function that serves the requests of one accepted connection to a WSGI application, until
    the connection ends: `serve(sock, address, steps)`. Raises OSError when the client breaks it."""
    from eventlet import wsgi

    server = wsgi.Server(
        listener,
        listener.getsockname(),
        app,
        log_output=False,
        minimum_chunk_size=1,  # else events would wait until there are 4 KB of them
        keepalive=75,
        socket_timeout=60,
        debug=False,
    )

    server.log = _Faults()  # given as an argument it would log each request as well

    class Protocol(HttpProtocol, wsgi.HttpProtocol):  # type: ignore[misc]
        """eventlet's parser with our steps."""

    Protocol.app = staticmethod(app)
    server.protocol = Protocol

    def serve(sock: socket.socket, address: Any, steps: ConnectionSteps) -> None:
        sock.settimeout(server.socket_timeout)
        state = [address, sock, "idle", steps]
        try:
            server.process_request(state)
        finally:
            state[2] = "close"
            sock.close()

    return serve


def selector() -> selectors.BaseSelector:
    """Make a selector of the operating system. Wait for it only with `wait_for`."""
    return _Selector()


def wait_for(ready: selectors.BaseSelector) -> None:
    """Wait until a file of the selector is ready; in a green process other greenlets go on."""
    if not _patched:
        ready.select()
        return
    from eventlet.hubs import trampoline

    trampoline(ready, read=True)


def accept_websocket(environ: Any, start_response: Any) -> socket.socket | None:
    """Answer the WebSocket handshake of a request and detach its connection from the server.

    Returns the socket, non-blocking and owned by the caller; None if it was no such request.
    """
    from eventlet.websocket import WebSocketWSGI

    detached: list[socket.socket] = []

    def detach(websocket: Any) -> None:
        websocket.websocket_closed = True  # else it would be closed when this returns
        # Without the descriptor the server's own object can neither read from it nor close it.
        number = websocket.socket.fd.detach()
        detached.append(_original("socket").socket(fileno=number))

    handshake = WebSocketWSGI(detach)
    handshake.support_legacy_versions = False
    handshake(environ, start_response)
    if not detached:
        return None
    detached[0].setblocking(False)
    return detached[0]
