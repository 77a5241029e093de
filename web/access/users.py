"""The users of `TOKENS_FILE`, read again when the file changes."""

import hmac
import logging
from pathlib import Path

from shared import user_tokens
from shared.errors import SettingsError
from shared.roles import Role
from shared.user_tokens import SHARED_OWNER, Stamp, UserFile
from web.access.principal import Credential, Kind, Principal

log = logging.getLogger(__name__)


class Users:
    """Knows tokens by their digests alone."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError if the file cannot be used."""
        self._path = path
        file, stamp = user_tokens.read_all(path)
        self._take(file, stamp)

    def find(self, token: str) -> Principal | None:
        """The principal of a token; None: it is nobody's. Both take the same time."""
        self.reload()
        given = user_tokens.digest(token)
        found = None
        for digest, principal in self._principals.items():
            if hmac.compare_digest(digest, given):
                found = principal
        return found

    def of_digest(self, digest: str) -> Principal | None:
        """The principal of the token with this digest, as of the last look at the file."""
        return self._principals.get(digest)

    def of_owner(self, owner: str) -> list[Principal]:
        """The principals of all tokens of an owner."""
        self.reload()
        return [found for found in self._principals.values() if found.owner == owner]

    @property
    def role_of_shared(self) -> Role:
        """The role of the shared token beside these users."""
        return self._file.roles.get(SHARED_OWNER, Role.USER)

    def reload(self) -> None:
        """Read the file again if it has changed. A faulty file is logged and otherwise ignored."""
        try:
            if Stamp.of(self._path.stat()) == self._stamp:
                return
            file, read = user_tokens.read_all(self._path)
        except SettingsError as error:
            log.error("tokens.unreadable error=%s", "; ".join(error.faults))
            return
        except OSError as error:
            log.error("tokens.unreadable error=%s", type(error).__name__)
            return
        if (file.owners, file.roles) != (self._file.owners, self._file.roles):
            users = len(set(file.owners.values()))
            log.info("tokens.changed users=%s tokens=%s", users, len(file.owners))
        self._take(file, read)

    def _take(self, file: UserFile, stamp: Stamp) -> None:
        self._file = file
        self._stamp = stamp.if_settled()
        self._principals = {
            digest: Principal(
                owner, file.roles.get(owner, Role.USER), Credential(Kind.USER, digest=digest)
            )
            for digest, owner in file.owners.items()
        }
