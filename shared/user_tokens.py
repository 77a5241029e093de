"""The file of user tokens: SHA-256 of a token -> owner (ADR 0011). No token is in it.

[users]
alice = ["<64 hex digits>", "<that of a second token, while she changes to it>"]
bob = "<64 hex digits>"

[profiles]
bob = ["default"]
"*" = ["default", "work"]

[roles]
alice = "admin"

Only those who are named in `[profiles]` are limited to some; "*" stands for all who are not named.
Those who are not named in `[roles]` are users.
"""

import hashlib
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared import toml_file
from shared.errors import SettingsError
from shared.plain_file import MOST_BYTES, open_plain
from shared.roles import Role, role_named

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
SHARED_OWNER: Final = "default"  # of all connections with the one shared token
OTHERS: Final = "*"  # in [profiles]: users who are not named there
SETTLED_NS: Final = 2_000_000_000
TABLES: Final = frozenset({"users", "profiles", "roles"})
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

    def if_settled(self) -> "Stamp | None":
        """None while the file is so young that it may change again without a new stamp."""
        return self if time.time_ns() - self.changed_ns > SETTLED_NS else None


@dataclass(frozen=True)
class UserFile:
    """What the file says: digest -> owner, owner -> the only profiles that they may use, and owner
    -> role."""

    owners: dict[str, str]
    profiles: dict[str, frozenset[str]]
    roles: dict[str, Role] = field(default_factory=dict)
    has_others: bool = False  # there are users who are not in the file: those with JWTs

    def may_use(self, owner: str, profile: str) -> bool:
        """Whether the user may use the profile. Where users are limited, one who is not in the file
        any more may use none."""
        if not self.profiles:
            return True
        is_known = owner == SHARED_OWNER or owner in self.owners.values()
        if not is_known and not self.has_others:
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
    users = set(owners.values())
    return UserFile(owners, _profiles(tables, users), _roles(tables, users)), Stamp.of(status)


def check_name(name: str) -> str | None:
    """Return what is wrong with the name of a user; None if it is right."""
    if NAME.fullmatch(name):
        return None
    return f"user {name[:100]!r}: up to 100 letters, digits and . _ @ + -"


def _owners(tables: Mapping[str, object]) -> dict[str, str]:
    users = tables.get("users")
    if not isinstance(users, Mapping) or set(tables) - TABLES:
        others = "[profiles] and [roles]"
        raise SettingsError([f"TOKENS_FILE: needs the table [users], and no other but {others}"])
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


def _roles(tables: Mapping[str, object], users: set[str]) -> dict[str, Role]:
    table = tables.get("roles", {})
    if not isinstance(table, Mapping):
        raise SettingsError(["TOKENS_FILE: [roles] is a table: user = name of a role"])
    faults: list[str] = []
    roles: dict[str, Role] = {}
    for name, value in table.items():
        if name not in {*users, SHARED_OWNER}:
            faults.append(f"TOKENS_FILE: [roles]: there is no user {name[:100]!r}")
        if (role := role_named(value)) is None:
            faults.append(f"TOKENS_FILE: [roles]: {name[:100]!r} needs one of {', '.join(Role)}")
        else:
            roles[name] = role
    if faults:
        raise SettingsError(faults)
    return roles
