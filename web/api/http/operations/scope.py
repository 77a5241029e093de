"""Whose runs a request may see: a user their own, an operator those of all. Pure."""

from shared.roles import Role
from web.api.http.routes import Call


def is_operator(call: Call) -> bool:
    """Whether the request may see the runs of all owners."""
    return call.principal.role.includes(Role.OPERATOR)


def visible_owner(call: Call) -> str | None:
    """The owner to whose runs the request is restricted; None: those of all."""
    return None if is_operator(call) else call.owner


def asks_for_others(call: Call, owner: str | None) -> bool:
    """Whether a user names another owner; to them nobody else has anything."""
    return owner is not None and owner != call.owner and not is_operator(call)
