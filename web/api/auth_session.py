"""`/auth/session`: a browser signs in once with its token, or with the one-time code of the link
that `holdfast up` prints, and from then on has a cookie.

The page never has to keep the token, and scripts cannot read the cookie. It ends with the sign-out,
in every web process, and with the token that it was made by.
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from flask import Flask, Response, jsonify, make_response, request

from shared.errors import HoldfastError, InvalidPayload
from web.access.cookies import Cookies
from web.access.principal import Principal, Unauthenticated
from web.access.sign_in_codes import SignInCodes
from web.access.signed_out import SignedOut
from web.api.counted import count_request
from web.api.http_answers import refused
from web.api.request_auth import RequestAuth, bearer
from web.api.request_body import json_body
from web.sockets.rate_limit import OwnerLimits

MAX_BYTES: Final = 16_384  # of the body


class AuthSession:
    """The three routes. Answers are `{ok, owner, role, expires_at?}`, or `{ok: false, error}`."""

    def __init__(
        self,
        auth: RequestAuth,
        cookies: Cookies,
        signed_out: SignedOut,
        codes: SignInCodes,
        limits: OwnerLimits,
    ) -> None:
        self._auth = auth
        self._codes = codes
        self._cookies = cookies
        self._signed_out = signed_out
        self._limits = limits

    def install(self, app: Flask) -> None:
        """Add the routes."""
        for method, view in (("POST", self._sign_in), ("GET", self._show), ("DELETE", self._end)):
            name = f"auth_session_{method.lower()}"
            app.add_url_rule("/auth/session", name, _answering(view), methods=[method])

    def _sign_in(self) -> Response:
        """The token is in the header, or is the field `token` of a JSON body; or a one-time code is
        its field `code`."""
        environ = request.environ
        if "HTTP_ORIGIN" in environ:
            self._auth.require_own_page(environ)
        token = bearer(environ)
        found = self._auth.of_token(environ, self._token_of_body() if token is None else token)
        count_request(self._limits, found.owner, starts=True)
        text, principal = self._cookies.make(found)
        answer = _shown(principal)
        self._set_cookie(answer, text, principal.credential.until or 0.0)
        return answer

    def _token_of_body(self) -> str | None:
        if not request.content_length:
            return None
        body = json_body(MAX_BYTES)
        token, code = (
            (body.get("token"), body.get("code")) if isinstance(body, Mapping) else (None, None)
        )
        if isinstance(token, str):
            return token
        if isinstance(code, str):
            return self._codes.redeem(code)  # a wrong one counts as a wrong token
        raise InvalidPayload('Send the token as {"token": "..."}, or as Authorization: Bearer.')

    def _show(self) -> Response:
        principal = self._auth.of_request(request.environ)
        count_request(self._limits, principal.owner)
        return _shown(principal)

    def _end(self) -> Response:
        """A cookie that is not valid any more is as good as signed out."""
        environ = request.environ
        if self._auth.cookie(environ):
            self._auth.require_own_page(environ)
            try:
                principal = self._auth.of_cookie(environ)
                count_request(self._limits, principal.owner, starts=True)
                credential = principal.credential
                self._signed_out.add(credential.cookie, credential.until or 0.0)
            except Unauthenticated:
                pass
        answer = jsonify(ok=True)
        self._set_cookie(answer, "", 0.0)
        return answer

    def _set_cookie(self, answer: Response, text: str, until: float) -> None:
        """Empty text: the browser forgets it."""
        environ = request.environ
        answer.set_cookie(
            self._auth.cookie_name(environ),
            text,
            max_age=timedelta(seconds=max(0, int(until - time.time()))),
            path="/",
            secure=self._auth.is_secure(environ),
            httponly=True,
            samesite="Strict",
        )


def _shown(principal: Principal) -> Response:
    until = principal.credential.until
    ends = {} if until is None else {"expires_at": int(until)}
    return jsonify(ok=True, owner=principal.owner, role=principal.role, **ends)


def _answering(view: Callable[[], Response]) -> Callable[[], Response]:
    """The view, whose errors are answers, and whose answers nobody keeps."""

    def answer() -> Response:
        try:
            response = view()
        except HoldfastError as error:
            response = make_response(refused(error))
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer
