"""Ends what waits for a connection after a total time, however its other side drips.

Problem: in a green process the timeout of a socket counts for each of the reads of a TLS handshake,
so a gateway that sends a byte now and then holds it for ever. Idea: a timer shuts the connection
down, by a second handle, since the first one changes its owner while TLS begins.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cut_after(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Shut the connection down if the block takes longer; it raises TimeoutError then."""
    handle = sock.dup()
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except OSError as error:
        if is_cut.is_set():
            raise TimeoutError("the TLS handshake took too long") from error
        raise
    finally:
        timer.cancel()
        handle.close()
