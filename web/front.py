"""The WSGI application in front of all others: what every HTTP request must pass first.

Refuses host names and origins that are not allowed, and new clients while the process is full or
stops; marks connections that poll for an authenticated socket; mends what libraries get wrong.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from web.api.http.errors import Fault, is_api_path
from web.pages.built_page import HASHED
from web.server.client_faults import ClientFaults
from web.server.forwarded import Forwarded
from web.server.http_server import ADDRESS, CONNECTION
from web.server.origins import Origins
from web.sockets.drain import Drain
from web.sockets.engineio_internals import SocketServer, opens_connection, session_of


class _Pages(NamedTuple):
    """What pages of allowed other origins may do: methods, and headers of requests and answers."""

    methods: str
    may_send: str
    may_read: str


_PAGES = _Pages("GET, POST, OPTIONS", "Authorization, Content-Type", "Retry-After")
_API_PAGES = _Pages(
    "GET, POST, PATCH, DELETE, OPTIONS",
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Hermes-Session-Id",
    "Idempotency-Replayed, Retry-After, X-Hermes-Session-Id",
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
        is_head = environ.get("REQUEST_METHOD") == "HEAD"
        result = self._answer(environ, start_response)
        return _without_body(result) if is_head else result

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        refusal = self._refusal(environ)
        if refusal is not None:
            return _say(environ, start_response, *refusal)
        self._mark_polling(environ)
        start = _with_cors(environ, start_response)
        if _is_preflight(environ):
            return _say(environ, start, "204 No Content", "")
        if self._is_full(environ):
            self._faults.note("refused_full")
            return _say(environ, start, "503 Service Unavailable", "Come back soon.")
        return self._app(environ, start)

    def _refusal(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        if not self._origins.allows_host(environ):
            self._faults.note("unknown_host", environ.get("HTTP_HOST"))
            return "400 Bad Request", "This host name is not in ALLOWED_HOSTS."
        if not (_is_code_of_the_page(environ) or self._origins.allows_origin(environ)):
            self._faults.note("refused_origin", environ.get("HTTP_ORIGIN"))
            return "403 Forbidden", "This origin is not allowed; see CORS_ORIGINS."
        return None

    def _is_full(self, environ: dict[str, Any]) -> bool:
        full = len(self._server.connection_ids()) >= self._sockets_max
        return opens_connection(environ) and (full or self._drain.stopping)

    def _mark_polling(self, environ: dict[str, Any]) -> None:
        """A connection that polls for an authenticated socket is authenticated."""
        connection = environ.get(CONNECTION)
        if connection is None or connection.is_authenticated:
            return
        socket = self._server.connection(session_of(environ))
        if socket is not None and socket.is_authenticated:
            connection.mark_authenticated()


def _with_cors(environ: dict[str, Any], start_response: Any) -> Any:
    """Let the page of an allowed other origin read the answer, and ask what it may send."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None or _is_code_of_the_page(environ):
        return start_response
    rule = _API_PAGES if is_api_path(environ.get("PATH_INFO", "")) else _PAGES
    cors = [
        ("Access-Control-Allow-Origin", str(origin)),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", rule.may_read),
        ("Vary", "Origin"),
    ]
    if _is_preflight(environ):
        cors += [
            ("Access-Control-Allow-Methods", rule.methods),
            ("Access-Control-Allow-Headers", rule.may_send),
            ("Access-Control-Max-Age", "600"),
        ]

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        return start_response(status, [*headers, *cors], *more)

    return start


def _is_code_of_the_page(environ: dict[str, Any]) -> bool:
    """A file that anybody may read, also a document without an origin, such as that of diagrams;
    the answer says so itself."""
    is_read = environ.get("REQUEST_METHOD") in {"GET", "HEAD"}
    return is_read and environ.get("PATH_INFO", "").startswith(f"/{HASHED}")


def _is_preflight(environ: dict[str, Any]) -> bool:
    """Whether a browser asks, before a request of a page, if the page may send it."""
    return (
        environ.get("REQUEST_METHOD") == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def _say(environ: dict[str, Any], start_response: Any, status: str, text: str) -> list[bytes]:
    if status.startswith("204"):
        start_response(status, [])
        return []
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
