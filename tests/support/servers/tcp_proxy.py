"""A TCP proxy that can fall silent: what a connection looks like whose other end is gone."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from deploy.local.ports import LOOPBACK


class TcpProxy:
    """Forwards connections to `port` of this machine from a port of its own."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._swallowed: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def swallow(self) -> None:
        """From now on what comes over the present connections is lost; new ones work."""
        self._swallowed |= self._open

    def cut(self) -> None:
        """Close the present connections; new ones work."""
        for one in [*self._open]:
            _close(one)

    def stop(self) -> None:
        """Close everything."""
        for one in (self._listener, *self._open):
            _close(one)

    def _accept(self) -> None:
        with suppress(OSError):  # closed by `stop`
            while True:
                near, _ = self._listener.accept()
                far = self._far_end()
                if far is None:
                    _close(near)
                    continue
                self._open |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(
                        target=self._forward, args=pair, name="proxy", daemon=True
                    ).start()

    def _far_end(self) -> socket.socket | None:
        """A connection to the server; None while it is down."""
        try:
            return socket.create_connection((LOOPBACK, self._target))
        except OSError:
            return None

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # closed by either side
            while data := source.recv(65_536):
                if source not in self._swallowed:
                    sink.sendall(data)
        for one in (source, sink):
            if source not in self._swallowed:
                _close(one)
                self._open.discard(one)


def _close(one: socket.socket) -> None:
    with suppress(OSError):  # no longer connected
        one.shutdown(socket.SHUT_RDWR)
    one.close()
