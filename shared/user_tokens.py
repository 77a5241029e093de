"""The file of user tokens: SHA-256 of a token -> owner (ADR 0011). No token is in it.

[users]
alice = ["<64 hex digits>", "<that of a second token, while she changes to it>"]
bob = "<64 hex digits>"

[profiles]
bob = ["default"]
"*" = ["default", "work"]

Only those who are named in `[profiles]` are limited to some; "*" stands for all who are not named.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared import toml_file
from shared.errors import SettingsError
from shared.plain_file import MOST_BYTES, open_plain

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
SHARED_OWNER: Final = "default"  # of all connections with the one shared token
OTHERS: Final = "*"  # in [profiles]: users who are not named there
FORBIDDEN: Final = 0o027  # the group may read, since secrets are mounted so; others nothing


@dataclass(frozen=True)
class Stamp:
    """The properties of a file that change when it is written."""

    changed_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(max(status.st_mtime_ns, status.st_ctime_ns), status.st_size, status.st_ino)


@dataclass(frozen=True)
class UserFile:
    """What the file says: digest -> owner, and owner -> the only profiles that they may use."""

    owners: dict[str, str]
    profiles: dict[str, frozenset[str]]

    def may_use(self, owner: str, profile: str) -> bool:
        """Whether the user may use the profile. Where users are limited, one who is not in the file
        any more may use none."""
        if not self.profiles:
            return True
        if owner != SHARED_OWNER and owner not in self.owners.values():
            return False
        allowed = self.profiles.get(owner, self.profiles.get(OTHERS))
        return allowed is None or profile in allowed


NOBODY: Final = UserFile({}, {OTHERS: frozenset()})  # may use anything


def new_token() -> str:
    """Return 256 random bits as text: too many for anybody to find the token of a hash."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return the SHA-256 of the token in lower-case hex, which the file has instead of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def read(path: Path) -> tuple[dict[str, str], Stamp]:
    """Read the owners alone, as `read_all` does."""
    file, stamp = read_all(path)
    return file.owners, stamp


def read_all(path: Path) -> tuple[UserFile, Stamp]:
    """Read the file, and its stamp.

    Raises SettingsError, which names every fault, but no digest and no token.
    """
    try:
        with open_plain(path) as file:
            status = os.fstat(file.fileno())
            if status.st_mode & FORBIDDEN:
                mode = f"{status.st_mode & 0o777:o}"
                raise SettingsError([f"TOKENS_FILE: {path} has mode {mode}; chmod 600 {path}"])
            tables = toml_file.parse(file.read(MOST_BYTES))
    except OSError as error:
        raise SettingsError([f"TOKENS_FILE: {path}: {error.strerror}"]) from error
    except ValueError as error:
        raise SettingsError([f"TOKENS_FILE: {path} {error}"]) from error
    owners = _owners(tables)
    return UserFile(owners, _profiles(tables, set(owners.values()))), Stamp.of(status)


def check_name(name: str) -> str | None:
    """Return what is wrong with the name of a user; None if it is right."""
    if NAME.fullmatch(name):
        return None
    return f"user {name[:100]!r}: up to 100 letters, digits and . _ @ + -"


def _owners(tables: Mapping[str, object]) -> dict[str, str]:
    users = tables.get("users")
    if not isinstance(users, Mapping) or set(tables) - {"users", "profiles"}:
        raise SettingsError(["TOKENS_FILE: needs the table [users], and no other but [profiles]"])
    faults: list[str] = []
    owners: dict[str, str] = {}
    for name, value in users.items():
        if fault := check_name(name):
            faults.append(f"TOKENS_FILE: {fault}")
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str) or not DIGEST.fullmatch(one.lower()):
                faults.append(f"TOKENS_FILE: user {name[:100]!r}: SHA-256 has 64 hex digits")
            elif owners.setdefault(one.lower(), name) != name:
                faults.append(f"TOKENS_FILE: user {name[:100]!r} has a token of another user")
    if faults:
        raise SettingsError(faults)
    return owners


def _profiles(tables: Mapping[str, object], users: set[str]) -> dict[str, frozenset[str]]:
    table = tables.get("profiles", {})
    if not isinstance(table, Mapping):
        raise SettingsError(["TOKENS_FILE: [profiles] is a table: user = [names of profiles]"])
    faults: list[str] = []
    for name, value in table.items():
        if name not in {*users, SHARED_OWNER, OTHERS}:
            faults.append(f"TOKENS_FILE: [profiles]: there is no user {name[:100]!r}")
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            faults.append(f"TOKENS_FILE: [profiles]: {name[:100]!r} needs a list of names")
    if faults:
        raise SettingsError(faults)
    return {name: frozenset(value) for name, value in table.items()}
