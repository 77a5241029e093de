"""`/` and the files of the page, with the headers that keep others' scripts out of it.

Programs that ask for `/` get JSON, as they do where no page was built. `/page/info` tells the page
who is signed in, and then what only the server knows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Response, jsonify, make_response, request
from flask.typing import ResponseReturnValue

from shared.errors import HoldfastError
from web.access.principal import TooManyGuesses, Unauthenticated
from web.api.counted import count_request
from web.api.http_answers import refused
from web.api.request_auth import RequestAuth
from web.pages.built_page import SHELL, BuiltPage, PageFile
from web.sockets.rate_limit import OwnerLimits

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
#: Of the document in which diagrams are drawn. It has no origin, and asks nobody for anything but
#: its own scripts; inline styles are what Mermaid draws with.
_DIAGRAMS: Final = "diagram.html"
_DIAGRAM_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OF_DIAGRAMS: Final = {
    **{name: value for name, value in _HEADERS.items() if name != "X-Frame-Options"},
    "Content-Security-Policy": _DIAGRAM_POLICY,
}
# Paths of the page beside `/`, with all below them; scripts of the page know what to show there.
_VIEWS: Final = ("/runs",)
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_FIRST: Final = "no-cache"  # it may be kept, and is asked for with its ETag


def add_page(app: Flask, page: BuiltPage | None, about: Mapping[str, Any]) -> None:
    """Add `/`, and if a page was built, its files. `about`: what `/` tells programs."""

    def index() -> ResponseReturnValue:
        shown = ["application/json", "text/html"]
        if page is None or request.accept_mimetypes.best_match(shown) != "text/html":
            answer = jsonify(about)
            answer.vary.add("Accept")
            return answer
        answer = _file_answer(page.files[SHELL])
        answer.vary.add("Accept")
        return answer

    app.add_url_rule("/", "index", index)
    if page is None:
        return
    for name, file in page.files.items():
        if name != SHELL:
            headers = _OF_DIAGRAMS if name == _DIAGRAMS else _HEADERS
            app.add_url_rule(f"/{name}", f"page {name}", _view(file, headers))
    shell = _view(page.files[SHELL], _HEADERS)
    for path in _VIEWS:
        app.add_url_rule(path, f"view {path}", shell)
        app.add_url_rule(f"{path}/<path:below>", f"below {path}", shell)


def add_info(app: Flask, auth: RequestAuth, limits: OwnerLimits, info: Mapping[str, Any]) -> None:
    """Add `GET /page/info`: `{ok: true, signed_in: true, owner, role, …info}`, and to strangers no
    more than `{ok: true, signed_in: false}`. That is no 401, which a browser reports as a fault."""

    def show() -> Response:
        try:
            if auth.is_anonymous(request.environ):  # no guess, so it is not counted as one
                raise Unauthenticated
            found = auth.of_request(request.environ)
            count_request(limits, found.owner)
            who = {"owner": found.owner, "role": found.role}
            answer = jsonify(ok=True, signed_in=True, **who, **info)
        except TooManyGuesses as error:
            answer = make_response(refused(error))
        except Unauthenticated:
            answer = jsonify(ok=True, signed_in=False)
        except HoldfastError as error:
            answer = make_response(refused(error))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    app.add_url_rule("/page/info", "page_info", show)


def _view(file: PageFile, headers: Mapping[str, str]) -> Callable[..., Response]:
    return lambda below="": _file_answer(file, headers)


def _file_answer(file: PageFile, headers: Mapping[str, str] = _HEADERS) -> Response:
    content, encoding = file.best(dict(request.accept_encodings))
    answer = Response(content, content_type=file.kind)
    if encoding is not None:
        answer.headers["Content-Encoding"] = encoding
    answer.vary.add("Accept-Encoding")
    answer.headers.update(headers)
    if file.is_hashed:
        # A document without an origin may read scripts only if everybody may; they are no secret.
        answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cache-Control"] = _FOREVER if file.is_hashed else _ASK_FIRST
    answer.set_etag(file.digest, weak=True)  # the same for all encodings
    answer.make_conditional(request)
    return answer
