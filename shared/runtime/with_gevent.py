"""Green threads by gevent (extra `holdfast[gevent]`)."""

import atexit
import importlib.util
import logging
import selectors
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

OFFLOADED = 20  # threads of the operating system for blocking work, as many as eventlet has


class Gevent:
    """See `Backend`. Exits where gevent is not installed."""

    async_mode = pool = "gevent"

    def __init__(self) -> None:
        try:
            from gevent import monkey
        except ImportError:
            sys.exit("RUNTIME: gevent is not installed; pip install 'holdfast[gevent]'")
        self._monkey = monkey
        self._native_threading = _second_copy("threading")
        self._threads: Any = None

    def patch(self) -> None:
        """See `Backend`. Not os and signals: Celery's handlers write to a pipe inside the hub. Not
        subprocess: nothing starts one while it serves."""
        # The parser of HTTP is still eventlet's, which says at its import that it is deprecated.
        warnings.filterwarnings("ignore", category=Warning, message=r"\s*Eventlet is deprecated")
        self._monkey.patch_all(os=False, signal=False, subprocess=False)
        atexit.register(_forget_log_handlers)
        from gevent.threadpool import ThreadPool

        self._threads = ThreadPool(OFFLOADED)

    def offload(self, work: Callable[..., T], *args: Any) -> T:
        """In one of `OFFLOADED` threads. An error is carried back, since gevent would print it."""
        if not self._is_in_hub_thread():
            return work(*args)
        from gevent.util import wrap_errors

        result: T | Exception = self._threads.apply(wrap_errors(Exception, work), args)
        if isinstance(result, Exception):
            raise result
        return result

    def _is_in_hub_thread(self) -> bool:
        ident = self._native_threading.get_ident()
        return bool(ident == self._native_threading.main_thread().ident)

    def native_threading(self) -> Any:
        """A second copy of the module, which was made before the first was patched."""
        return self._native_threading

    def spawn(self, work: Callable[..., None], *args: Any) -> None:
        """Start a bare greenlet."""
        import gevent

        gevent.spawn_raw(work, *args)

    def wait_for(self, ready: selectors.BaseSelector) -> None:
        """Have the hub wait for its file."""
        from gevent.socket import wait_read

        wait_read(ready.fileno())  # type: ignore[attr-defined]

    def socket_class(self) -> type[socket.socket]:
        """gevent's, which has replaced that of the standard library."""
        return socket.socket

    def without_waiting(self, sock: Any) -> Any:
        """The one that a green socket is wrapped around."""
        return sock._sock


def _forget_log_handlers() -> None:
    """Else each is taken out of `logging` when the interpreter has emptied `threading`, which the
    patched lock of `logging` is a part of, and says so with a traceback."""
    logging.shutdown()
    logging._handlerList.clear()  # type: ignore[attr-defined]


def _second_copy(name: str) -> Any:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
