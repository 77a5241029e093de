"""The cookie of a browser: what it says, and that nobody else can make one."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from shared.errors import DatabaseUnavailable
from shared.roles import Role
from shared.settings import Settings
from shared.user_tokens import digest
from tests.support.jwts import SECRET, secret_token
from web.access.cookies import SALT, Cookies
from web.access.principal import Credential, Kind, Principal, Unauthenticated
from web.auth import Authenticator

KEY = "k" * 32
ALICE = Principal("alice", Role.OPERATOR, Credential(Kind.USER, digest=digest("token-of-alice")))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def signer() -> URLSafeSerializer:
    """Somebody who knows the key."""
    return URLSafeSerializer(KEY, salt=SALT, signer_kwargs={"digest_method": hashlib.sha256})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cookies(clock: Clock) -> Cookies:
    return Cookies(lambda: KEY, 100.0, clock)


def test_it_says_whose_it_is_and_nothing_of_the_token(cookies: Cookies) -> None:
    text, principal = cookies.make(ALICE)
    ticket = cookies.read(text)
    assert (ticket.owner, ticket.kind, ticket.role) == ("alice", Kind.USER, Role.OPERATOR)
    assert ticket.mark == cookies.mark(digest("token-of-alice"))
    assert principal.credential.cookie == ticket.id
    content = signer().loads(text)
    assert content["o"] == "alice"
    assert digest("token-of-alice") not in content.values()


def test_each_is_another_one(cookies: Cookies) -> None:
    assert cookies.read(cookies.make(ALICE)[0]).id != cookies.read(cookies.make(ALICE)[0]).id


def test_it_ends_by_itself(cookies: Cookies, clock: Clock) -> None:
    text, principal = cookies.make(ALICE)
    assert principal.credential.until == 1100.0
    clock.now = 1099.0
    assert cookies.read(text).until == 1100.0
    clock.now = 1100.0
    with pytest.raises(Unauthenticated):
        cookies.read(text)


def test_it_ends_with_its_token(cookies: Cookies, clock: Clock) -> None:
    short = Principal("bob", Role.USER, Credential(Kind.JWT, key="k", until=1030.0))
    text, _ = cookies.make(short)
    clock.now = 1031.0
    with pytest.raises(Unauthenticated):
        cookies.read(text)


def test_one_of_another_key_is_refused(cookies: Cookies, clock: Clock) -> None:
    text, _ = Cookies(lambda: "x" * 32, 100.0, clock).make(ALICE)
    with pytest.raises(Unauthenticated):
        cookies.read(text)


def test_a_changed_one_is_refused(cookies: Cookies) -> None:
    text, _ = cookies.make(ALICE)
    body, _, signature = text.rpartition(".")
    content = signer().loads(text)
    raised = base64.urlsafe_b64encode(json.dumps({**content, "r": "admin"}).encode())
    for changed in (
        raised.decode().rstrip("=") + "." + signature,
        body + ".",
        body,
        text[:-1],
        f"{text}x",
        f"{body}.{signature[::-1]}",
        "." + text,
        "",
    ):
        with pytest.raises(Unauthenticated):
            cookies.read(changed)


def test_a_jwt_of_the_same_key_is_no_cookie_and_a_cookie_no_jwt(clock: Clock) -> None:
    """An operator may have set both to the same secret."""
    same = Cookies(lambda: SECRET, 100.0, clock)
    with pytest.raises(Unauthenticated):
        same.read(secret_token())
    door = Authenticator(Settings.load({"JWT_SECRET": SECRET}))
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            door.authenticate(same.make(ALICE)[0])


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        5,
        None,
        "text",
        {"i": "a", "k": "nobody", "o": "alice", "r": "user", "m": "", "u": 9e9},
        {"i": "a", "k": "user", "o": "alice", "r": "root", "m": "", "u": 9e9},
        {"i": "a", "k": "user", "o": "alice", "r": "user", "m": "", "u": "soon"},
        {"i": "a", "k": "user", "o": "alice", "r": "user", "m": ""},
        {"i": "a", "k": "user", "o": "alice", "r": "user", "m": 5, "u": 9e9},
        {"i": None, "k": "user", "o": "alice", "r": "user", "m": "", "u": 9e9},
        {"i": "a", "k": "user", "o": ["alice"], "r": "user", "m": "", "u": 9e9},
    ],
)
def test_one_of_another_version_is_refused(cookies: Cookies, content: Any) -> None:
    with pytest.raises(Unauthenticated):
        cookies.read(signer().dumps(content))


def test_one_that_would_unpack_to_much_is_not_unpacked(cookies: Cookies) -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"0" * 50_000_000)).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        cookies.read(f".{bomb}.signature")


COOKIES = Cookies(lambda: KEY, 100.0)


@given(st.text(max_size=200), st.binary(max_size=100))
def test_whatever_comes_is_refused(text: str, data: bytes) -> None:
    for given_text in (text, data.decode("latin-1"), f"{text}.{text}"):
        with pytest.raises(Unauthenticated):
            COOKIES.read(given_text)


def test_without_its_key_nobody_is_refused_for_good(clock: Clock) -> None:
    def key() -> str:
        raise DatabaseUnavailable

    text, _ = Cookies(lambda: KEY, 100.0, clock).make(ALICE)
    with pytest.raises(DatabaseUnavailable):
        Cookies(key, 100.0, clock).read(text)
