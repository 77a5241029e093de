"""Who sends a request: the Bearer token in its `Authorization` header."""

from flask import request

from web.auth import Authenticator, Principal
from web.server.http_server import ADDRESS, CONNECTION


def authenticated(authenticator: Authenticator) -> Principal:
    """The principal of the current request; its connection counts as authenticated from now on.
    Raises Unauthenticated."""
    principal = authenticator.authenticate(_token(), request.environ.get(ADDRESS, ""))
    connection = request.environ.get(CONNECTION)
    if connection is not None:
        connection.mark_authenticated()
    return principal


def _token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
