"""What a role includes, and how roles are named."""

import pytest

from shared.roles import Role, highest_named, role_named
from web.access.principal import Credential, Forbidden, Kind, Principal, require


@pytest.mark.parametrize("has", Role)
@pytest.mark.parametrize("needed", Role)
def test_a_role_may_do_what_those_before_it_may(has: Role, needed: Role) -> None:
    principal = Principal("alice", has, Credential(Kind.USER))
    if list(Role).index(has) >= list(Role).index(needed):
        require(principal, needed)
    else:
        with pytest.raises(Forbidden, match=f"needs the role {needed}; yours is {has}") as caught:
            require(principal, needed)
        assert caught.value.code == "forbidden"


@pytest.mark.parametrize("name", ["root", "", "ADMIN", None, 5, ["admin"], {"admin": 1}, True])
def test_what_names_no_role_is_none(name: object) -> None:
    assert role_named(name) is None


def test_of_several_roles_the_highest_counts() -> None:
    assert highest_named(["user", "admin", "operator", "x"]) is Role.ADMIN
    assert highest_named([]) is highest_named("x") is highest_named({}) is Role.USER
