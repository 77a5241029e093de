"""Reads a small document over HTTP or HTTPS within a total time and a size.

Names are resolved in an OS thread, and every read waits green and only as long as is left, so that
a server which answers a byte at a time holds nobody up. Redirects are not followed, and proxies of
the environment are not used: the address is the one that the operator wrote.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from shared import runtime
from shared.net.cut_after import cut_after

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Fetched:
    """A whole answer, without its headers."""

    status: int
    body: bytes


def fetch(url: str, *, seconds: float, most: int) -> bytes:
    """Return the body of a 200 answer. Raises OSError, and ValueError for any other answer."""
    found = ask(url, seconds=seconds, most=most)
    if found.status != http.client.OK:
        raise ValueError(f"answered with status {found.status}")
    return found.body


def ask(
    url: str,
    *,
    seconds: float,
    most: int,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """Return the answer to a GET, of any status. `tls`: None for the certificates that this machine
    trusts. Raises OSError, and ValueError for what is no whole answer of up to `most` bytes."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    deadline = time.monotonic() + seconds
    sock = _connected(host, port, deadline)
    try:
        if parts.scheme == "https":
            context = tls or ssl.create_default_context()
            with cut_after(sock, _left(deadline)):
                sock = context.wrap_socket(sock, server_hostname=host)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {parts.netloc.encode('idna').decode()}",
            "Accept: application/json",
            "Connection: close",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        )
        sock.settimeout(_left(deadline))
        sock.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        return _answer(sock, deadline, most)
    except http.client.HTTPException as error:
        raise ValueError(f"is no HTTP ({type(error).__name__})") from error
    finally:
        sock.close()


def _answer(sock: socket.socket, deadline: float, most: int) -> Fetched:
    response = http.client.HTTPResponse(_Timed(sock, deadline))  # type: ignore[arg-type]
    with response:
        response.begin()
        body = response.read(most + 1)
        if len(body) > most:
            raise ValueError(f"has more than {most} bytes")
        if response.length:
            raise ValueError("ended before its length")
    return Fetched(response.status, body)


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    """A connection to the first address of the host that accepts one."""
    found = runtime.offload(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _left(deadline: float) -> float:
    """The seconds that are left. Raises TimeoutError when none are."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left


class _Timed(io.RawIOBase):
    """What `HTTPResponse` reads from a socket."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """As a socket has it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)
