"""Who gets in."""

import pytest

from shared.settings import Settings
from web.auth import Authenticator, Unauthenticated


def authenticator(**environ: str) -> Authenticator:
    return Authenticator(Settings.load(environ))


def test_the_shared_token_is_the_default_owner() -> None:
    assert authenticator(AUTH_TOKEN="s3cret").authenticate("s3cret").owner == "default"


@pytest.mark.parametrize(
    "token",
    [None, "", "wrong", "s3cre", "s3cret ", 5, True, ["s3cret"], {"t": 1}, "\ud800", b"s3cret"],
)
def test_anything_else_is_refused(token: object) -> None:
    with pytest.raises(Unauthenticated, match=r"^Authentication failed$"):
        authenticator(AUTH_TOKEN="s3cret").authenticate(token)


def test_without_a_token_nobody_gets_in() -> None:
    with pytest.raises(Unauthenticated):
        authenticator().authenticate("")


@pytest.mark.parametrize("value", ["1", "true"])
def test_the_door_is_open_only_if_the_operator_says_so(value: str) -> None:
    assert authenticator(AUTH_DISABLED=value).authenticate(None).owner == "default"


def test_a_zero_does_not_open_the_door() -> None:
    with pytest.raises(Unauthenticated):
        authenticator(AUTH_DISABLED="0", AUTH_TOKEN="t").authenticate(None)
