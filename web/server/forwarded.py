"""Who sent a request, and to which address, behind proxies that are trusted. Pure.

`X-Forwarded-For`, `-Proto` and `-Host` say so, but anybody can send them: they count only when the
connection comes from a network in `TRUSTED_PROXIES`, and of a list only what those proxies added.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(texts: Sequence[str]) -> list[Network]:
    """`10.0.0.0/8`, `::1`, … Raises ValueError for what is none."""
    return [ipaddress.ip_network(text.strip(), strict=False) for text in texts]


class Forwarded:
    """Reads what requests say of their way."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = list(trusted)

    def client_address(self, environ: Mapping[str, Any]) -> str:
        """The address of who sent the request: the last one that no trusted proxy has."""
        address = str(environ.get("REMOTE_ADDR", ""))
        hops = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        while self._is_trusted(address) and hops and (hop := hops.pop().strip()):
            address = hop
        return address

    def scheme(self, environ: Mapping[str, Any]) -> str:
        """`http` or `https`, as the client sees it."""
        told = self._told(environ, "HTTP_X_FORWARDED_PROTO")
        return (told or str(environ.get("wsgi.url_scheme", "http"))).lower()

    def host(self, environ: Mapping[str, Any]) -> str:
        """Host and port, as the client wrote them; empty if it named none."""
        return self._told(environ, "HTTP_X_FORWARDED_HOST") or str(environ.get("HTTP_HOST", ""))

    def _told(self, environ: Mapping[str, Any], header: str) -> str:
        if not self._is_trusted(str(environ.get("REMOTE_ADDR", ""))):
            return ""
        return str(environ.get(header, "")).rpartition(",")[2].strip()

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self._trusted)
