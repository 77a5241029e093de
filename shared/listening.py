"""The address that the web process listens on: IPv4, IPv6 or a name, and why it cannot."""

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def bound(
    host: str,
    port: int,
    *,
    share: bool = False,
    make: Callable[[int, int], socket.socket] = socket.socket,
) -> socket.socket:
    """Return a socket that is bound to the address; `::` takes IPv4, too. `share`: other processes
    may bind to it as well (SO_REUSEPORT). `make` makes the socket. Raises OSError."""
    family, address = _resolved(host, port)
    made = make(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not is_any(host)))
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _resolved(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except UnicodeError:  # a label of the name is too long, or empty
        raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
    family, _, _, _, address = found[0]
    return family, address


def is_any(host: str) -> bool:
    """Whether the host means all addresses of this machine."""
    address = as_address(host)
    return address is not None and address.is_unspecified


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to that address."""
    address = as_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that the text is, also in the spellings of inet_aton, such as `0` and
    `127.1`; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def url(host: str, port: int) -> str:
    """Return the URL for a client on this machine."""
    host = LOOPBACK if is_any(host) else host.strip("[]")
    # RFC 6874: the zone of a link-local address stands behind %25.
    shown = f"[{host.replace('%', '%25')}]" if ":" in host else host
    return f"http://{shown}:{port}"


def reason(error: OSError, host: str, port: int) -> str:
    """Return why the address cannot be listened on, and what to do."""
    if isinstance(error, socket.gaierror):
        return f"HOST={host}: no such address ({error.strerror}); correct it"
    known = {
        errno.EADDRINUSE: f"port {port} is taken; stop what listens there, or choose another PORT",
        errno.EACCES: f"port {port} is for administrators; choose a PORT above 1023",
        errno.EADDRNOTAVAIL: f"HOST={host}: this machine has no such address; correct it",
        errno.EAFNOSUPPORT: f"HOST={host}: this machine has no addresses of that kind; correct it",
    }
    return known.get(
        error.errno or 0, f"HOST={host}, port {port}: cannot listen there: {error.strerror}"
    )
