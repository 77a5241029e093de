"""Which web pages and which host names may use this server: one rule for sockets and HTTP. Pure.

A browser says in `Origin` which page sends a request. The page of this server's own address is
always allowed; others when they are listed. A request without `Origin` comes from no page.

The `Host` header is checked against DNS rebinding: a page whose name was made to point to this
machine has the own origin. It can do harm only where no token is asked for, so by default other
names than those of the loopback interface are refused there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from web.server.forwarded import Forwarded

ANY = "*"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]/\s]+)(?::(?P<port>\d{1,5}))?")


class Origin(NamedTuple):
    """Scheme, lower-case host and port."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """`https://Example.org:443/` and `https://example.org` are the same; None for what is none."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port or _PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return None
    if (
        not parts.hostname
        or not port
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        return None
    if parts.path not in ("", "/"):
        return None
    return Origin(parts.scheme.lower(), parts.hostname.lower(), port)


def parse_host(text: str) -> tuple[str, int | None] | None:
    """Lower-case name and port of a `Host` header; None for what is none."""
    found = _HOST.fullmatch(text.strip())
    if found is None:
        return None
    return found["name"].lower().rstrip("."), int(found["port"]) if found["port"] else None


class Origins:
    """The rule, for one set of settings."""

    def __init__(self, allowed: Sequence[str], hosts: Sequence[str], forwarded: Forwarded) -> None:
        """`allowed`: origins beside the own one, or `*`. `hosts`: names that this server may be
        called by; empty: any. Raises ValueError for an origin that is none."""
        self._any = ANY in allowed
        self._allowed = {_must_parse(text) for text in allowed if text != ANY}
        self._hosts = {host.lower() for host in hosts}
        self._forwarded = forwarded

    def allows_host(self, environ: Mapping[str, Any]) -> bool:
        """Whether the request names a host that this server may be called by."""
        if not self._hosts or ANY in self._hosts:
            return True
        named = parse_host(self._forwarded.host(environ))
        return named is not None and named[0] in self._hosts

    def allows_origin(self, environ: Mapping[str, Any]) -> bool:
        """Whether the page that sent the request may, if a page sent it."""
        text = environ.get("HTTP_ORIGIN")
        if text is None or self._any:
            return True
        origin = parse_origin(str(text))
        return origin is not None and (origin in self._allowed or origin == self._own(environ))

    def is_own_page(self, environ: Mapping[str, Any]) -> bool:
        """Whether this server's own page sent the request: not one of `allowed`, and no program.
        Browsers leave `Origin` out of a GET for their own page; `Sec-Fetch-Site` says it then,
        which no page can write itself."""
        text = environ.get("HTTP_ORIGIN")
        if text is None:
            return environ.get("HTTP_SEC_FETCH_SITE") == "same-origin"
        origin = parse_origin(str(text))
        return origin is not None and origin == self._own(environ)

    def _own(self, environ: Mapping[str, Any]) -> Origin | None:
        scheme, host = self._forwarded.scheme(environ), self._forwarded.host(environ)
        return parse_origin(f"{scheme}://{host}")


def _must_parse(text: str) -> Origin:
    origin = parse_origin(text)
    if origin is None:
        raise ValueError(f"{text!r} is no origin; write it like https://example.org:8443")
    return origin
