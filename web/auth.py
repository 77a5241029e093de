"""Who a connection is."""

import hmac
from dataclasses import dataclass

from shared.errors import HoldfastError
from shared.settings import Settings

SHARED_OWNER = "default"  # whoever has the one shared token is the same owner


class Unauthenticated(HoldfastError):
    """Authentication failed"""

    code = "unauthenticated"


@dataclass(frozen=True)
class Principal:
    """Whose sessions a connection may see."""

    owner: str


class Authenticator:
    """Knows the one shared token. Without a token it lets nobody in."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.auth_token
        self._disabled = settings.auth_disabled

    def authenticate(self, token: object) -> Principal:
        """The principal that the token stands for. Raises Unauthenticated."""
        if not self._disabled and not self._matches(token):
            raise Unauthenticated()
        return Principal(SHARED_OWNER)

    def _matches(self, token: object) -> bool:
        if not isinstance(token, str) or not self._token:
            return False
        given = token.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(given, self._token.encode())
