"""Who a connection or request belongs to, and by what that was shown. Pure.

A token's text is kept nowhere: a credential has the digest by which the file of users knows it, or
what has to stay true of a JWT.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.errors import ClientError, HoldfastError
from shared.roles import Role


class Unauthenticated(HoldfastError):
    """Authentication failed"""

    code = "unauthenticated"


class TooManyGuesses(Unauthenticated):
    """Authentication failed"""

    def __init__(self, retry_after: float = 1.0) -> None:
        """`retry_after`: seconds until one more guess counts as any other."""
        super().__init__()
        self.retry_after = retry_after


class JwtRefused(Unauthenticated):
    """Authentication failed"""

    def __init__(self, why: str) -> None:
        """`why`: a word for the log; clients do not get it."""
        super().__init__()
        self.why = why


class Forbidden(ClientError):
    """Your role does not allow this."""

    code = "forbidden"


class ForeignOrigin(ClientError):
    """A cookie counts only for requests of this server's own page; send a token instead."""

    code = "foreign_origin"


class Kind(StrEnum):
    """By what somebody is known. The values are in cookies."""

    NOBODY = ""  # not asked
    OPEN = "open"  # by nothing: AUTH_DISABLED
    SHARED = "shared"  # by AUTH_TOKEN
    USER = "user"  # by a token of TOKENS_FILE
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class Credential:
    """What has to stay true for a principal to stay valid."""

    kind: Kind
    digest: str = ""  # of the token, as TOKENS_FILE has it
    key: str = ""  # of a JWT: the thumbprint of the key that it was signed with
    until: float | None = None  # epoch seconds
    cookie: str = ""  # the id of the cookie that it came by


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner whose sessions a connection may use, and what else they may see."""

    owner: str
    role: Role
    credential: Credential


ANYBODY: Final = Principal("", Role.USER, Credential(Kind.NOBODY))  # of requests that need no token


def require(principal: Principal, role: Role) -> None:
    """Raises Forbidden unless the principal has the role, or a higher one."""
    if not principal.role.includes(role):
        raise Forbidden(f"This needs the role {role}; yours is {principal.role}.")
