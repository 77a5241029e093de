"""Serves the page and its style sheet. The page is made once, when it is asked for first."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, request

from shared import runtime
from web.api.http.docs_page.page import page

STYLE: Final = Path(__file__).parent / "style.css"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # the next version of the page has the same address
}


def add_docs_page(app: Flask, document: Callable[[], Mapping[str, Any]]) -> None:
    """`/docs` and `/docs/style.css`, without a token, as the document has none either."""
    style = STYLE.read_bytes()

    @functools.cache
    def html() -> bytes:
        return page(document()).encode()

    app.add_url_rule("/docs", "docs", lambda: _answer(runtime.offload(html), "text/html"))
    app.add_url_rule("/docs/style.css", "docs style", lambda: _answer(style, "text/css"))


def _answer(body: bytes, kind: str) -> Response:
    response = Response(body, mimetype=kind)
    response.headers.update(HEADERS)
    response.add_etag()
    response.make_conditional(request)
    return response
