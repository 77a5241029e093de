"""Authenticates connections: the owner whose sessions they may use."""

import hmac
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from shared import user_tokens
from shared.errors import HoldfastError, SettingsError
from shared.settings import Settings
from shared.user_tokens import Stamp
from web.server.guess_limit import GuessLimit

log = logging.getLogger(__name__)

SHARED_OWNER = "default"  # of all connections with the one shared token
SETTLED_NS = 2_000_000_000  # a file that is younger may change again without a new stamp


class Unauthenticated(HoldfastError):
    """Authentication failed"""

    code = "unauthenticated"


class TooManyGuesses(Unauthenticated):
    """Authentication failed"""


@dataclass(frozen=True)
class Principal:
    """The owner whose sessions a connection may use."""

    owner: str


class Users:
    """The users of `TOKENS_FILE`, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError if the file cannot be used."""
        self._path = path
        self._owners, stamp = user_tokens.read(path)
        self._stamp = _settled(stamp)

    def owner(self, token: str) -> str | None:
        """The owner of a token; None: it is nobody's. Both take the same time."""
        self._reload()
        given = user_tokens.digest(token)
        found = None
        for digest, owner in self._owners.items():
            if hmac.compare_digest(digest, given):
                found = owner
        return found

    def _reload(self) -> None:
        """Read the file again if it has changed. A faulty file is logged and otherwise ignored."""
        try:
            stamp = Stamp.of(self._path.stat())
            if stamp == self._stamp:
                return
            owners, read = user_tokens.read(self._path)
        except SettingsError as error:
            log.error("tokens.unreadable error=%s", "; ".join(error.faults))
            return
        except OSError as error:
            log.error("tokens.unreadable error=%s", type(error).__name__)
            return
        if owners != self._owners:
            log.info("tokens.changed users=%s tokens=%s", len(set(owners.values())), len(owners))
        self._owners, self._stamp = owners, _settled(read)


def _settled(stamp: Stamp) -> Stamp | None:
    return stamp if time.time_ns() - stamp.changed_ns > SETTLED_NS else None


class Authenticator:
    """Checks the one shared token and those of users. Without any token it refuses everybody."""

    def __init__(self, settings: Settings, guesses: GuessLimit | None = None) -> None:
        """`guesses`: counts wrong tokens by address.

        Raises SettingsError if `TOKENS_FILE` cannot be used."""
        self._guesses = guesses
        self._token = settings.auth_token
        self._disabled = settings.auth_disabled
        self._users = Users(settings.tokens_file) if settings.tokens_file is not None else None

    def authenticate(self, token: object, address: str = "") -> Principal:
        """The principal that the token stands for. Raises Unauthenticated, which takes a
        while when many wrong tokens came from this network address."""
        try:
            return self._principal(token)
        except Unauthenticated:
            if self._guesses is not None and self._guesses.delay(address):
                raise TooManyGuesses() from None
            raise

    def _principal(self, token: object) -> Principal:
        if self._disabled:
            return Principal(SHARED_OWNER)
        if not isinstance(token, str):
            raise Unauthenticated()
        if self._is_shared(token):
            return Principal(SHARED_OWNER)
        owner = self._users.owner(token) if self._users is not None else None
        if owner is None:
            raise Unauthenticated()
        return Principal(owner)

    def _is_shared(self, token: str) -> bool:
        given = token.encode("utf-8", "surrogatepass")
        return bool(self._token) and hmac.compare_digest(given, self._token.encode())
