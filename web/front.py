"""The WSGI application in front of all others: what every HTTP request must pass first.

Refuses host names and origins that are not allowed, and new clients while the process is full or
stops; marks connections that poll for an authenticated socket; mends what libraries get wrong.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from web.api.http.errors import Fault, is_api_path
from web.server.client_faults import ClientFaults
from web.server.forwarded import Forwarded
from web.server.http_server import ADDRESS, CONNECTION
from web.server.origins import Origins
from web.sockets.drain import Drain, is_new_client
from web.sockets.engineio_internals import SocketServer, session_of

log = logging.getLogger(__name__)

# What pages of allowed other origins may send to the HTTP API, and read of its answers.
_API_CORS = (
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE, OPTIONS"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Hermes-Session-Id",
    ),
    ("Access-Control-Expose-Headers", "Idempotency-Replayed, Retry-After, X-Hermes-Session-Id"),
    ("Access-Control-Max-Age", "600"),
)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Front:
    """Call it as a WSGI application."""

    def __init__(
        self,
        app: Wsgi,
        *,
        server: SocketServer,
        drain: Drain,
        origins: Origins,
        forwarded: Forwarded,
        faults: ClientFaults,
        sockets_max: int,
    ) -> None:
        """`sockets_max`: Engine.IO connections of this process."""
        self._app = app
        self._server = server
        self._drain = drain
        self._origins = origins
        self._forwarded = forwarded
        self._faults = faults
        self._sockets_max = sockets_max

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[ADDRESS] = self._forwarded.client_address(environ)
        # permessage-deflate costs 256 KB per socket and a compression per frame.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if environ.get("PATH_INFO") == "/socket.io":
            environ["PATH_INFO"] = "/socket.io/"
        refusal = self._refusal(environ)
        if refusal is not None:
            return _answer(environ, start_response, *refusal)
        self._mark_polling(environ)
        start = self._with_cors(environ, start_response)
        if environ.get("REQUEST_METHOD") != "HEAD":
            return self._app(environ, start)
        return _without_body(self._app(environ, start))

    def _refusal(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        if not self._origins.allows_host(environ):
            self._faults.note("unknown_host")
            return "400 Bad Request", "This host name is not in ALLOWED_HOSTS."
        if not self._origins.allows_origin(environ):
            if self._faults.note("refused_origin"):
                log.info("origin.refused origin=%s", clean(environ.get("HTTP_ORIGIN", "")))
            return "403 Forbidden", "This origin is not allowed; see CORS_ORIGINS."
        full = len(self._server.connection_ids()) >= self._sockets_max
        if is_new_client(environ) and (full or self._drain.stopping):
            return "503 Service Unavailable", ""
        return None

    def _mark_polling(self, environ: dict[str, Any]) -> None:
        """A connection that polls for an authenticated socket is authenticated."""
        connection = environ.get(CONNECTION)
        if connection is None or connection.is_authenticated:
            return
        socket = self._server.connection(session_of(environ))
        if socket is not None and socket.is_authenticated:
            connection.mark_authenticated()

    def _with_cors(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Let the page of an allowed other origin read the answer."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return start_response

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            cors = [("Access-Control-Allow-Origin", str(origin)), ("Vary", "Origin")]
            if is_api_path(environ.get("PATH_INFO", "")):
                cors += _API_CORS
            return start_response(status, [*headers, *cors], *more)

        return start


def clean(text: object, most: int = 200) -> str:
    """Text of a client for a log line: printable, on one line, short."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:most])


def _answer(environ: dict[str, Any], start_response: Any, status: str, text: str) -> list[bytes]:
    body, kind = text.encode(), "text/plain; charset=utf-8"
    if is_api_path(environ.get("PATH_INFO", "")):
        code = "refused_origin" if status.startswith("403") else "unknown_host"
        body = orjson.dumps(Fault(int(status[:3]), code, text).envelope)
        kind = "application/json"
    headers = [("Content-Type", kind), ("Connection", "close")]
    if status.startswith("503"):
        headers.append(("Retry-After", "5"))
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]


def _without_body(result: Iterable[bytes]) -> list[bytes]:
    """The answer to HEAD has none, also where a library makes one."""
    close = getattr(result, "close", None)
    if close is not None:
        close()
    return []
