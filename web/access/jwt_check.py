"""Checks JSON Web Tokens (RFC 7519, with the advice of RFC 8725).

The algorithm is that of the key, and never the one that a token would like: HS256 only with the
secret, the others only with public keys. A token must have an end, and a subject: the owner.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.exceptions import InvalidSubjectError

from shared.roles import highest_named
from shared.service import Service
from shared.settings import Settings
from shared.user_tokens import SHARED_OWNER
from web.access.key_sources import KeyFile, KeySource, KeyUrl
from web.access.keys import ALGORITHMS, Key, secret_key
from web.access.principal import Credential, JwtRefused, Kind, Principal

log = logging.getLogger(__name__)

LONGEST: Final = 8192  # characters
MOST_TRIED: Final = 10  # keys, of those that a token may be signed with
LATEST: Final = 2**40  # epoch seconds; an end after that is none

# Printable ASCII, as issuers make them: `auth0|5f7c`, an address, a UUID.
SUBJECT: Final = re.compile(r"[A-Za-z0-9][!-~]{0,199}")
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, LookupError, ArithmeticError)
_WHY: Final[tuple[tuple[type[Exception], str], ...]] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.MissingRequiredClaimError, "missing_claim"),
    (InvalidSubjectError, "subject"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidAlgorithmError, "algorithm"),
)


@dataclass(frozen=True)
class Rules:
    """What a token must say."""

    issuer: str | None
    audience: tuple[str, ...]
    leeway: float  # seconds
    role_claim: str

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        return cls(
            settings.jwt_issuer or None,
            settings.jwt_audience,
            settings.jwt_leeway.total_seconds(),
            settings.jwt_role_claim,
        )


class JwtCheck:
    """Checks tokens with a secret, with published keys, or with both."""

    def __init__(self, rules: Rules, secret: str, published: KeySource | None) -> None:
        self._rules = rules
        self._secret = secret_key(secret) if secret else None
        self._published = published

    @classmethod
    def of(cls, settings: Settings) -> "JwtCheck":
        """Raises SettingsError if the file of keys cannot be used."""
        return cls(Rules.of(settings), settings.jwt_secret, _key_source(settings))

    @property
    def services(self) -> list[Service]:
        """What has to run for it."""
        return [self._published.service] if isinstance(self._published, KeyUrl) else []

    def principal(self, token: str) -> Principal:
        """The principal of a token. Raises JwtRefused, and KeysUnavailable."""
        try:
            return self._principal(token)
        except RecursionError:
            raise JwtRefused("malformed") from None
        except _BROKEN as error:
            why = next((word for kind, word in _WHY if isinstance(error, kind)), "malformed")
            raise JwtRefused(why) from None

    def knows(self, thumbprint: str) -> bool:
        """Whether the key of this thumbprint is still in use, as far as is known."""
        return self.key_that(lambda one: one == thumbprint) is not None

    def key_that(self, fits: Callable[[str], bool]) -> str | None:
        """The thumbprint that fits, of a key in use; empty: the keys are not known yet."""
        if self._secret is not None and fits(self._secret.thumbprint):
            return self._secret.thumbprint
        published = self._published.thumbprints() if self._published is not None else []
        return "" if published is None else next((one for one in published if fits(one)), None)

    def _principal(self, token: str) -> Principal:
        if len(token) > LONGEST:
            raise JwtRefused("too_long")
        header = jwt.get_unverified_header(token)
        if "crit" in header or "b64" in header:
            raise JwtRefused("extension")
        algorithm = header.get("alg")
        claims, key = self._verified(token, self._keys(algorithm, header.get("kid")))
        until = min(int(claims["exp"]), LATEST) + self._rules.leeway
        role = highest_named(claims.get(self._rules.role_claim))
        credential = Credential(Kind.JWT, key=key.thumbprint, until=until)
        return Principal(owner_of(claims["sub"]), role, credential)

    def _keys(self, algorithm: object, kid: str | None) -> list[Key]:
        if algorithm == "HS256" and self._secret is not None:
            return [self._secret]
        if algorithm in ALGORITHMS and self._published is not None:
            if found := self._published.find(str(algorithm), kid):
                return found
            raise JwtRefused("unknown_key")
        raise JwtRefused("algorithm")

    def _verified(self, token: str, keys: list[Key]) -> tuple[dict[str, Any], Key]:
        """The claims, and the key that signed them."""
        for key in keys[:MOST_TRIED]:
            try:
                claims = jwt.decode(
                    token,
                    key.material,
                    algorithms=[key.algorithm],
                    audience=self._rules.audience or None,
                    issuer=self._rules.issuer,
                    leeway=self._rules.leeway,
                    options={"require": ["exp", "sub"]},
                )
            except jwt.InvalidSignatureError:
                continue
            return claims, key
        raise JwtRefused("signature")


def _key_source(settings: Settings) -> KeySource | None:
    if settings.jwt_jwks_file is not None:
        return KeyFile(settings.jwt_jwks_file)
    return KeyUrl(settings.jwt_jwks_url) if settings.jwt_jwks_url else None


def owner_of(subject: str) -> str:
    """The owner that a subject names. Raises JwtRefused for one that is no name, and for that of
    the shared token, whose sessions no issuer may give away."""
    if not SUBJECT.fullmatch(subject) or subject.casefold() == SHARED_OWNER:
        raise JwtRefused("subject")
    return subject
