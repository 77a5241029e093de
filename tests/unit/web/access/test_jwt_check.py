"""JSON Web Tokens: which are believed, and whose they are."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Settings
from tests.support.jwts import (
    AUDIENCE,
    RULES,
    SECRET,
    Signer,
    claims,
    forged,
    key_set,
    secret_token,
)
from web.access.principal import JwtRefused, TooManyGuesses
from web.auth import Authenticator, Principal, Unauthenticated
from web.server.guess_limit import GuessLimit


def door(**environ: str) -> Authenticator:
    return Authenticator(Settings.load({"AUTH_TOKEN": "shared", **environ}))


def with_secret(**environ: str) -> Authenticator:
    return door(JWT_SECRET=SECRET, **RULES, **environ)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def with_keys(file: Path, *signers: Signer, **environ: str) -> Authenticator:
    file.write_bytes(key_set(*signers))
    return door(JWT_JWKS_FILE=str(file), **RULES, **environ)


DOOR = with_secret()


def why(made: Authenticator, token: str) -> str:
    """The reason for which the token is refused; the client gets none."""
    with pytest.raises(JwtRefused, match=r"^Authentication failed$") as caught:
        made.authenticate(token)
    return caught.value.why


def test_a_token_signed_with_the_secret_is_of_its_subject() -> None:
    found = with_secret().authenticate(secret_token())
    assert (found.owner, found.role) == ("alice", "user")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("kid", ["k1", None])
def test_a_token_signed_with_a_published_key_is_of_its_subject(
    file: Path, algorithm: str, kid: str | None
) -> None:
    signer = Signer(algorithm, kid)
    others = [Signer(one, "other") for one in ("RS256", "ES256", "EdDSA") if one != algorithm]
    assert with_keys(file, *others, signer).authenticate(signer.token()).owner == "alice"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"exp": None}, "missing_claim"),
        ({"sub": None}, "missing_claim"),
        ({"iss": None}, "missing_claim"),
        ({"aud": None}, "missing_claim"),
        ({"iss": "https://other.example"}, "issuer"),
        ({"aud": "another service"}, "audience"),
        ({"aud": []}, "missing_claim"),
        ({"aud": {"holdfast": 1}}, "audience"),
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"nbf": int(time.time()) + 86_400}, "not_yet_valid"),
        ({"iat": int(time.time()) + 86_400}, "not_yet_valid"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": float("nan")}, "malformed"),
        ({"exp": [1]}, "malformed"),
        ({"nbf": {}}, "malformed"),
        ({"sub": 5}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": "default"}, "subject"),
        ({"sub": "Default"}, "subject"),
        ({"sub": "*"}, "subject"),
        ({"sub": "a b"}, "subject"),
        ({"sub": "a\n"}, "subject"),
        ({"sub": "a\x00"}, "subject"),
        ({"sub": "\u0430lice"}, "subject"),
        ({"sub": "a" * 201}, "subject"),
        ({"much": "x" * 9000}, "too_long"),
    ],
)
def test_a_token_that_says_the_wrong_thing_is_refused(
    file: Path, more: dict[str, Any], reason: str
) -> None:
    assert why(with_secret(), secret_token(**more)) == reason
    signer = Signer()
    assert why(with_keys(file, signer), signer.token(**more)) == reason


@pytest.mark.parametrize(
    "sub", ["a", "auth0|5f7c8ec7", "alice@example.org", "urn:id:7", "A" * 200, "defaults"]
)
def test_a_subject_may_be_what_issuers_make(sub: str) -> None:
    assert with_secret().authenticate(secret_token(sub=sub)).owner == sub


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    ended = secret_token(exp=int(time.time()) - 10)
    assert with_secret(JWT_LEEWAY="30").authenticate(ended).owner == "alice"
    assert why(with_secret(JWT_LEEWAY="0"), ended) == "expired"


def test_one_of_several_audiences_is_enough() -> None:
    made = door(JWT_SECRET=SECRET, JWT_AUDIENCE=f"first, {AUDIENCE}")
    assert made.authenticate(secret_token(aud=["x", "first"])).owner == "alice"


def test_without_an_audience_a_token_for_somebody_is_not_for_us() -> None:
    alone = door(JWT_SECRET=SECRET)
    assert alone.authenticate(secret_token(aud=None)).owner == "alice"
    assert why(alone, secret_token()) == "audience"


@pytest.mark.parametrize("name", ["none", "None", "nOnE", "NONE", ""])
@pytest.mark.parametrize("key", [b"", SECRET.encode()])
def test_a_token_without_an_algorithm_is_refused(file: Path, name: str, key: bytes) -> None:
    token = forged({"alg": name, "typ": "JWT"}, claims(), key)
    assert why(with_secret(), token) == "algorithm"
    assert why(with_keys(file, Signer()), token) == "algorithm"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_never_taken_for_a_secret(file: Path, algorithm: str) -> None:
    """The confusion of algorithms: HMAC with bytes that everybody can read."""
    signer = Signer(algorithm)
    public = signer.private.public_key()
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        str(signer.jwk().get("x", signer.jwk().get("n"))).encode(),
        key_set(signer),
    ]
    made = with_keys(file, signer)
    both = with_keys(file, signer, JWT_SECRET=SECRET)
    for key in forms:
        for alg in ("HS256", "HS384", "HS512", algorithm):
            token = forged({"alg": alg, "kid": "k1"}, claims(), key)
            assert why(made, token) in ("algorithm", "signature")
            assert why(both, token) in ("algorithm", "signature")


def test_a_published_secret_is_no_key(file: Path) -> None:
    """A symmetric key in a public set is known to everybody."""
    signer = Signer()
    oct_key = '{"kty": "oct", "kid": "o", "k": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"}'
    file.write_text(key_set(signer).decode().replace('{"keys": [', f'{{"keys": [{oct_key}, '))
    made = door(JWT_JWKS_FILE=str(file), **RULES)
    token = forged({"alg": "HS256", "kid": "o"}, claims(), b"a" * 32)
    with pytest.raises(Unauthenticated):
        made.authenticate(token)
    assert made.authenticate(signer.token()).owner == "alice"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"kid": "unknown"}, "unknown_key"),
        ({"kid": "../../etc/passwd"}, "unknown_key"),
        ({"alg": "RS512"}, "algorithm"),
        ({"alg": "ES256K"}, "algorithm"),
        ({"alg": ["ES256"]}, "algorithm"),
        ({"alg": None}, "algorithm"),
        ({"alg": {}}, "algorithm"),
        ({"kid": 5}, "malformed"),
        ({"crit": ["b64"], "b64": True}, "extension"),
        ({"crit": ["exp"]}, "malformed"),
    ],
)
def test_a_header_decides_nothing(file: Path, header: dict[str, Any], reason: str) -> None:
    token = forged({"alg": "ES256", "kid": "k1", **header}, claims(), b"x")
    assert why(with_keys(file, Signer()), token) == reason


def test_a_key_that_the_token_brings_along_counts_for_nothing(file: Path) -> None:
    stranger = Signer(number=1)
    brought = {"jwk": stranger.jwk(), "jku": "https://evil.example/keys", "x5u": "https://evil"}
    token = stranger.token(header=brought)
    assert why(with_keys(file, Signer()), token) == "signature"


def test_the_same_name_of_two_keys_is_tried_with_both(file: Path) -> None:
    old, new = Signer(), Signer(number=1)
    made = with_keys(file, old, new)
    assert [made.authenticate(one.token()).owner for one in (old, new)] == ["alice", "alice"]


def test_a_changed_token_is_refused() -> None:
    head, body, signature = secret_token().split(".")
    other = secret_token(sub="bob").split(".")[1]
    made = with_secret()
    assert why(made, f"{head}.{other}.{signature}") == "signature"
    assert why(made, f"{head}.{body}.") == "signature"
    assert why(made, secret_token("another secret of 32 bytes or more")) == "signature"


@pytest.mark.parametrize(
    ("claim", "role"),
    [
        ("operator", "operator"),
        ("admin", "admin"),
        (["user", "admin", "operator"], "admin"),
        (["a", {}, None, 5, "operator"], "operator"),
        ("root", "user"),
        ("Admin", "user"),
        (None, "user"),
        (5, "user"),
        ({"admin": True}, "user"),
        ([["admin"]], "user"),
    ],
)
def test_the_role_is_that_of_the_claim(claim: Any, role: str) -> None:
    assert with_secret().authenticate(secret_token(role=claim)).role == role
    own = with_secret(JWT_ROLE_CLAIM="https://h.example/roles")
    assert own.authenticate(secret_token(**{"https://h.example/roles": claim})).role == role
    assert own.authenticate(secret_token(role="admin")).role == "user"


def test_beside_jwts_the_shared_token_is_a_user_and_alone_it_may_see_all() -> None:
    assert door().authenticate("shared").role == "admin"
    assert with_secret().authenticate("shared").role == "user"


def test_why_a_token_was_refused_is_in_the_log_and_nothing_of_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = secret_token("b" * 32, sub="mallory")
    with caplog.at_level("DEBUG"):
        why(with_secret(), token)
    assert "client.fault kind=refused_jwt count=1 total=1 last=signature" in caplog.text
    assert not any(part in caplog.text for part in (*token.split("."), "mallory"))


def test_wrong_tokens_are_counted_like_guesses() -> None:
    slept: list[float] = []
    settings = Settings.load({"JWT_SECRET": SECRET, **RULES})
    made = Authenticator(settings, GuessLimit(3, 60.0, sleep=slept.append))
    refusals = []
    for _ in range(5):
        with pytest.raises(Unauthenticated) as caught:
            made.authenticate(secret_token("b" * 32), "192.0.2.1")
        refusals.append(caught.type)
    assert refusals == [JwtRefused] * 3 + [TooManyGuesses] * 2
    assert len(slept) == 2
    assert made.authenticate(secret_token(), "192.0.2.1").owner == "alice"
    assert len(slept) == 2


def test_of_a_token_nothing_is_kept() -> None:
    token = secret_token()
    found = with_secret().authenticate(token)
    assert not any(part in repr(found) for part in token.split("."))
    assert SECRET not in repr(Settings.load({"JWT_SECRET": SECRET}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
names = st.sampled_from(["alg", "kid", "crit", "b64", "typ"])
claim_names = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "role"])


@given(
    st.dictionaries(names, json_values), st.dictionaries(claim_names, json_values), st.booleans()
)
def test_whatever_a_token_says_it_is_refused_or_believed(
    header: dict[str, Any], said: dict[str, Any], usual: bool
) -> None:
    payload = {**claims(), **said} if usual else said
    token = forged({"alg": "HS256", **header}, payload, SECRET.encode())
    try:
        found = DOOR.authenticate(token)
    except Unauthenticated:
        return
    assert isinstance(found, Principal)
    assert found.owner == payload["sub"] != "default"


@given(st.text(), st.binary(max_size=50))
def test_whatever_text_comes_it_is_refused(text: str, data: bytes) -> None:
    for token in (text, f"{text}.{text}.{text}", data.decode("latin-1") + "..", "e30.e30.e30"):
        with pytest.raises(Unauthenticated):
            DOOR.authenticate(token)


def test_a_header_of_any_depth_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b'{"a":' * 1200).decode().rstrip("=")
    assert why(with_secret(), f"{deep}.e30.e30") in ("malformed", "too_long")
