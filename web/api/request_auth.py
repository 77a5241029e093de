"""Who sent a request, or opens a socket: by a token, and where none is sent by a cookie.

A browser adds its cookie to what other pages make it send. So a cookie counts for all requests of
our own page, and for those that change nothing and have no `Origin`: without one, no other page can
read the answer. One of an allowed other origin could, so it needs a token.
"""

from collections.abc import Mapping
from typing import Any, Final

from werkzeug.http import parse_cookie

from web.access.principal import ForeignOrigin, Principal, Unauthenticated
from web.auth import Authenticator
from web.server.forwarded import Forwarded
from web.server.http_server import ADDRESS, CONNECTION
from web.server.origins import Origins

PRINCIPAL: Final = "holdfast.principal"  # of a connection that came by a cookie, in its environment
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestAuth:
    """Finds the principal. All methods raise Unauthenticated, ForeignOrigin and Unavailable."""

    def __init__(
        self,
        authenticator: Authenticator,
        origins: Origins,
        forwarded: Forwarded,
        installation: str,
    ) -> None:
        """`installation`: part of the cookie's name, as several may share the name of a host."""
        self._authenticator = authenticator
        self._origins = origins
        self._forwarded = forwarded
        self._cookie = f"holdfast-{installation}"

    def of_request(self, environ: Mapping[str, Any]) -> Principal:
        """The principal of an HTTP request, whose connection is then authenticated."""
        token = bearer(environ)
        if token is not None or self._authenticator.is_open or not self.cookie(environ):
            found = self._authenticator.authenticate(token, environ.get(ADDRESS, ""))
        else:
            self.require_own_page(environ)
            found = self.of_cookie(environ)
        _mark_authenticated(environ)
        return found

    def is_anonymous(self, environ: Mapping[str, Any]) -> bool:
        """Whether the request brings neither token nor cookie, and needs one."""
        has_any = bearer(environ) is not None or bool(self.cookie(environ))
        return not (has_any or self._authenticator.is_open)

    def of_token(self, environ: Mapping[str, Any], token: object) -> Principal:
        """The principal of a token that a request brings in another place than its headers."""
        found = self._authenticator.authenticate(token, environ.get(ADDRESS, ""))
        _mark_authenticated(environ)
        return found

    def of_socket(self, environ: Mapping[str, Any], token: object) -> Principal:
        """The principal of a socket, which sends a token or comes over a connection of our page."""
        is_given = token is not None and token != ""
        if is_given or self._authenticator.is_open:
            return self._authenticator.authenticate(token, environ.get(ADDRESS, ""))
        if (before := environ.get(PRINCIPAL)) is not None:
            return self._again(before)
        if not self.cookie(environ):
            return self._authenticator.authenticate(None, environ.get(ADDRESS, ""))
        self.require_own_page(environ, always=True)
        return self.of_cookie(environ)

    def of_cookie(self, environ: Mapping[str, Any]) -> Principal:
        """The principal of the request's cookie, from whatever page."""
        address = environ.get(ADDRESS, "")
        return self._authenticator.authenticate_cookie(self.cookie(environ), address)

    def require_own_page(self, environ: Mapping[str, Any], *, always: bool = False) -> None:
        """Raises ForeignOrigin for a request that is not of our own page, unless it changes nothing
        and no page can read the answer. `always`: for any."""
        is_read = environ.get("REQUEST_METHOD") in READING and "HTTP_ORIGIN" not in environ
        if (always or not is_read) and not self._origins.is_own_page(environ):
            raise ForeignOrigin

    def is_secure(self, environ: Mapping[str, Any]) -> bool:
        """Whether the client sent the request over HTTPS."""
        return self._forwarded.scheme(environ) == "https"

    def cookie_name(self, environ: Mapping[str, Any]) -> str:
        """The name of the cookie. Over HTTPS no other host can set one of that name."""
        return f"__Host-{self._cookie}" if self.is_secure(environ) else self._cookie

    def cookie(self, environ: Mapping[str, Any]) -> str:
        """The cookie's text; empty if there is none."""
        return parse_cookie(environ.get("HTTP_COOKIE", "")).get(self.cookie_name(environ), "")

    def _again(self, before: Principal) -> Principal:
        now = self._authenticator.renew(before)
        if now is None:
            raise Unauthenticated
        return now


def bearer(environ: Mapping[str, Any]) -> str | None:
    """The token in the header `Authorization`; None: it has none."""
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _mark_authenticated(environ: Mapping[str, Any]) -> None:
    connection = environ.get(CONNECTION)
    if connection is not None:
        connection.mark_authenticated()
