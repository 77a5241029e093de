"""The cookie of a browser that has signed in: signed, with an end, without the token.

It says whose it is and by what: of a token of the file, or of a JWT's key, it has a mark, which is
a hash with the key of cookies, so that nobody can search for a token by means of a stolen cookie.
Whoever reads one has to ask whether what it was made from is still valid.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer

from shared.db import sign_ins
from shared.db.database import Database
from shared.roles import Role, role_named
from web.access.principal import Kind, Principal, Unauthenticated

LONGEST: Final = 2048  # characters
SALT: Final = "holdfast.browser"


@dataclass(frozen=True)
class Ticket:
    """What a cookie says."""

    id: str
    kind: Kind
    owner: str
    role: Role  # of a JWT's; others have the role of their token
    mark: str  # of the token's digest, or of the thumbprint of a JWT's key
    until: float  # epoch seconds


class CookieKey:
    """The secret that cookies are signed with: a setting, else one that the database keeps."""

    def __init__(self, given: str, db: Database) -> None:
        self._key = given
        self._db = db

    def get(self) -> str:
        """The key. Raises DatabaseUnavailable until it could be read once."""
        if not self._key:
            self._key = self._db.write(sign_ins.cookie_key)
        return self._key


class Cookies:
    """Makes cookies and reads them."""

    def __init__(
        self, key: Callable[[], str], life: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`life`: seconds for which a cookie is valid at most."""
        self._key = key
        self._life = life
        self._clock = clock

    def make(self, principal: Principal) -> tuple[str, Principal]:
        """A new cookie, and its principal. Raises DatabaseUnavailable."""
        given = principal.credential
        until = self._clock() + self._life
        until = until if given.until is None else min(until, given.until)
        named = secrets.token_urlsafe(18)
        content = {
            "i": named,
            "k": given.kind,
            "o": principal.owner,
            "r": principal.role,
            "m": self.mark(given.digest or given.key),
            "u": until,
        }
        credential = replace(given, until=until, cookie=named)
        return self._serializer().dumps(content), replace(principal, credential=credential)

    def read(self, text: str) -> Ticket:
        """What a cookie says that was made here and has not ended by itself. Raises
        Unauthenticated and DatabaseUnavailable."""
        if len(text) > LONGEST or not text.isascii():
            raise Unauthenticated
        try:
            ticket = _ticket(self._serializer().loads(text))
        except (BadData, KeyError, TypeError, ValueError, RecursionError):
            raise Unauthenticated from None
        if ticket.until <= self._clock():
            raise Unauthenticated
        return ticket

    def mark(self, name: str) -> str:
        """What a cookie has instead of a digest or thumbprint. Raises DatabaseUnavailable."""
        return hmac.digest(self._key().encode(), f"mark\0{name}".encode(), "sha256").hex()

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._key(), salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )


def _ticket(content: Mapping[str, Any]) -> Ticket:
    role = role_named(content["r"])
    if role is None or not all(isinstance(content[name], str) for name in "ikom"):
        raise ValueError("made by another version")
    return Ticket(
        id=content["i"],
        kind=Kind(content["k"]),
        owner=content["o"],
        role=role,
        mark=content["m"],
        until=float(content["u"]),
    )
