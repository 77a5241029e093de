"""What users may see beside their own sessions. Pure."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """Each may do what those before it may."""

    USER = "user"  # their own sessions
    OPERATOR = "operator"  # runs, queues and metrics of all users, but no message
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what the other one may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER: Final = list(Role)


def role_named(name: object) -> Role | None:
    """Return the role of this name; None if there is none."""
    return Role(name) if isinstance(name, str) and name in _ORDER else None


def highest_named(names: object) -> Role:
    """Return the highest role among a name, or a list of names; USER if it has none."""
    found = [role_named(name) for name in (names if isinstance(names, list) else [names])]
    return max((role for role in found if role), key=_ORDER.index, default=Role.USER)
