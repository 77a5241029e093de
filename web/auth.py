"""Authenticates connections and requests: the principal that a token or a cookie stands for.

Problem: a token may be taken out of its file, a JWT ends, a key is withdrawn, a browser signs out,
while a socket that came by it is open. Idea: of what somebody came by, the principal keeps only
what has to stay true (a digest, a thumbprint, an end), so that it can be asked for at any time.
Invariant: whoever is let in by a token or a cookie now is valid by the newest files, keys and list
of sign-outs that could be read; and what is refused is counted against its address.
"""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared import user_tokens
from shared.roles import Role
from shared.service import Service
from shared.settings import Settings
from shared.user_tokens import SHARED_OWNER
from web.access.cookies import Cookies, Ticket
from web.access.principal import (
    Credential,
    JwtRefused,
    Kind,
    Principal,
    TooManyGuesses,
    Unauthenticated,
)
from web.access.signed_out import SignedOut
from web.access.users import Users
from web.server.client_faults import ClientFaults
from web.server.guess_limit import GuessLimit

if TYPE_CHECKING:
    from web.access.jwt_check import JwtCheck

__all__ = ["Authenticator", "Principal", "Unauthenticated"]


class Authenticator:
    """Checks the one shared token, those of users, JWTs, and cookies. Without any token it refuses
    everybody."""

    def __init__(
        self,
        settings: Settings,
        guesses: GuessLimit | None = None,
        *,
        cookies: Cookies | None = None,
        signed_out: SignedOut | None = None,
        faults: ClientFaults | None = None,
    ) -> None:
        """`guesses`: counts wrong tokens by address. Without `cookies` and `signed_out` no cookie
        is valid.

        Raises SettingsError if a file cannot be used."""
        self.is_open = settings.auth_disabled  # everybody comes in, without a token
        self._guesses = guesses
        self._cookies = cookies
        self._signed_out = signed_out
        self._faults = faults or ClientFaults()
        self._token = settings.auth_token
        self._users = Users(settings.tokens_file) if settings.tokens_file is not None else None
        self._jwt = _jwt_check(settings)
        kind = Kind.OPEN if self.is_open else Kind.SHARED
        digest = user_tokens.digest(self._token) if self._token else ""
        self._shared = Principal(SHARED_OWNER, Role.ADMIN, Credential(kind, digest=digest))

    @property
    def services(self) -> Sequence[Service]:
        """What has to run for it."""
        return self._jwt.services if self._jwt is not None else []

    def authenticate(self, token: object, address: str = "") -> Principal:
        """The principal that the token stands for. Raises Unauthenticated, which takes a while
        when many wrong tokens came from this network address, and KeysUnavailable."""
        return self._counting(lambda: self._principal(token), address)

    def authenticate_cookie(self, text: str, address: str = "") -> Principal:
        """The principal that the cookie stands for. Raises Unauthenticated in the same way, and
        DatabaseUnavailable while the key of cookies is not known."""
        return self._counting(lambda: self._of_cookie(text), address)

    def renew(self, principal: Principal) -> Principal | None:
        """The principal as it is now; None if what it came by is no longer valid. Reads no file of
        users and no database: see `refresh`."""
        credential = principal.credential
        if credential.until is not None and credential.until <= time.time():
            return None
        if credential.cookie and self._signed_out and self._signed_out.has(credential.cookie):
            return None
        now = self._now(principal)
        if now is None or now.owner != principal.owner:
            return None
        return principal if now.role == principal.role else replace(principal, role=now.role)

    def refresh(self) -> None:
        """Read again what `renew` judges by."""
        if self._users is not None:
            self._users.reload()
        if self._signed_out is not None:
            self._signed_out.renew()

    # -- what somebody came by ------------------------------------------------------------------

    def _counting(self, find: Callable[[], Principal], address: str) -> Principal:
        try:
            return find()
        except Unauthenticated as error:
            if isinstance(error, JwtRefused):
                self._faults.note("refused_jwt", error.why)
            if self._guesses is not None and self._guesses.delay(address):
                raise TooManyGuesses(self._guesses.seconds_until_free(address)) from None
            raise

    def _principal(self, token: object) -> Principal:
        if self.is_open:
            return self._shared
        if not isinstance(token, str):
            raise Unauthenticated
        if self._is_shared(token):
            return self._of_shared_token()
        found = self._users.find(token) if self._users is not None else None
        if found is None and self._jwt is not None and token.count(".") == 2:
            found = self._jwt.principal(token)
        if found is None:
            raise Unauthenticated
        return found

    def _is_shared(self, token: str) -> bool:
        given = token.encode("utf-8", "surrogatepass")
        return bool(self._token) and hmac.compare_digest(given, self._token.encode())

    def _of_shared_token(self) -> Principal:
        """Where nobody else has sessions, who has the one token may see everything."""
        if self._users is not None:
            return replace(self._shared, role=self._users.role_of_shared)
        return replace(self._shared, role=Role.USER) if self._jwt is not None else self._shared

    def _now(self, principal: Principal) -> Principal | None:
        credential = principal.credential
        if credential.kind is Kind.USER and self._users is not None:
            return self._users.of_digest(credential.digest)
        if credential.kind is Kind.JWT and self._jwt is not None:
            return principal if self._jwt.knows(credential.key) else None
        if credential.kind is self._shared.credential.kind:
            return self._of_shared_token() if not self.is_open else self._shared
        return None

    def _of_cookie(self, text: str) -> Principal:
        if self._cookies is None or self._signed_out is None:
            raise Unauthenticated
        ticket = self._cookies.read(text)
        found = self._of_ticket(ticket, self._cookies)
        if found is None or self._signed_out.asks(ticket.id):
            raise Unauthenticated
        credential = replace(found.credential, until=ticket.until, cookie=ticket.id)
        return replace(found, credential=credential)

    def _of_ticket(self, ticket: Ticket, cookies: Cookies) -> Principal | None:
        """The principal that the cookie was made for, if it is still valid."""

        def is_marked(name: str) -> bool:
            return hmac.compare_digest(cookies.mark(name), ticket.mark)

        if ticket.kind is Kind.USER and self._users is not None:
            mine = self._users.of_owner(ticket.owner)
            return next((one for one in mine if is_marked(one.credential.digest)), None)
        if ticket.kind is Kind.JWT and self._jwt is not None:
            key = self._jwt.key_that(is_marked)
            credential = Credential(Kind.JWT, key=key or "")
            return Principal(ticket.owner, ticket.role, credential) if key is not None else None
        if ticket.kind is Kind.SHARED and self._token and not self.is_open:
            return self._of_shared_token() if is_marked(self._shared.credential.digest) else None
        return None


def _jwt_check(settings: Settings) -> "JwtCheck | None":
    if not settings.has_jwt:
        return None
    from web.access.jwt_check import JwtCheck  # its library takes 9 MB, which only some need

    return JwtCheck.of(settings)
