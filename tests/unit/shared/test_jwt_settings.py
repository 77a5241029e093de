"""Settings of JWTs and cookies: what would be unsafe does not start, and one line says why."""

import pytest

from shared.errors import SettingsError
from shared.settings import Settings
from tests.support.jwts import RULES, SECRET

URL = "https://issuer.example/keys"


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({"JWT_SECRET": "short"}, "JWT_SECRET: needs 32 bytes"),
        ({"JWT_SECRET": "-----BEGIN PUBLIC KEY----- MIIBIjANBgkq"}, "is no public key"),
        ({"JWT_SECRET": f'"{SECRET}"'}, "JWT_SECRET: has quotes around it"),
        ({"JWT_SECRET": SECRET + "\udcff"}, "JWT_SECRET: has a control character or one that"),
        ({"JWT_SECRET": SECRET + "\n" + SECRET}, "JWT_SECRET: has a control character"),
        ({"JWT_JWKS_URL": URL}, "JWT_ISSUER, JWT_AUDIENCE: are needed"),
        ({"JWT_JWKS_URL": URL, "JWT_ISSUER": "i"}, "JWT_ISSUER, JWT_AUDIENCE: are needed"),
        ({"JWT_JWKS_FILE": "/keys", "JWT_AUDIENCE": "a"}, "JWT_ISSUER, JWT_AUDIENCE: are needed"),
        ({"JWT_JWKS_FILE": "/keys", "JWT_JWKS_URL": URL, **RULES}, "JWT_JWKS_URL: the keys are"),
        ({"JWT_JWKS_URL": "http://issuer.example/keys", **RULES}, "JWT_JWKS_URL: needs https"),
        ({"JWT_JWKS_URL": "https://u:p@issuer.example", **RULES}, "JWT_JWKS_URL: needs an address"),
        ({"JWT_JWKS_URL": "issuer.example", **RULES}, "JWT_JWKS_URL: needs a URL"),
        ({"JWT_JWKS_URL": "file:///etc/passwd", **RULES}, "JWT_JWKS_URL: needs a URL"),
        ({"JWT_JWKS_URL": "https://ex\u00e4mple.org/", **RULES}, "JWT_JWKS_URL: needs a URL"),
        ({"JWT_JWKS_URL": "https://issuer..example/", **RULES}, "JWT_JWKS_URL: has no name"),
        ({"JWT_JWKS_URL": "https://issuer.example:0/", **RULES}, "JWT_JWKS_URL: has no name"),
        ({"JWT_ISSUER": "i"}, "JWT_ISSUER, JWT_AUDIENCE: need JWT_SECRET"),
        ({"JWT_SECRET": SECRET, "AUTH_DISABLED": "1"}, "AUTH_DISABLED: nobody needs a token"),
        ({"JWT_SECRET": SECRET, "JWT_LEEWAY": "3600"}, "JWT_LEEWAY: at most"),
        ({"JWT_SECRET": SECRET, "JWT_LEEWAY": "-1"}, "JWT_LEEWAY: -1"),
        ({"COOKIE_KEY": "short"}, "COOKIE_KEY: needs 32 bytes"),
        ({"COOKIE_KEY": f"'{SECRET}'"}, "COOKIE_KEY: has quotes around it"),
        ({"COOKIE_KEY": SECRET + "\udcff"}, "COOKIE_KEY: has a control character or one that"),
        ({"COOKIE_SECONDS": "5"}, "COOKIE_SECONDS"),
        ({"RECHECK_SECONDS": "120"}, "RECHECK_SECONDS: at most 60"),
    ],
)
def test_what_would_be_unsafe_is_one_line(environ: dict[str, str], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault) as caught:
        Settings.load(environ)
    assert len(caught.value.faults) == 1
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"JWT_SECRET": SECRET},
        {"JWT_SECRET": SECRET, "JWT_JWKS_URL": URL, **RULES},
        {"JWT_JWKS_FILE": "/keys.json", **RULES},
        {"JWT_JWKS_URL": "http://127.0.0.1:8080/keys", **RULES},
        {"JWT_JWKS_URL": "http://[::1]:8080/keys", **RULES},
        {"JWT_JWKS_URL": "http://localhost/keys", **RULES},
        {"JWT_JWKS_URL": "http://127.1/keys", **RULES},
        {"COOKIE_KEY": "k" * 32},
    ],
)
def test_what_is_safe_is_accepted(environ: dict[str, str]) -> None:
    assert Settings.load(environ).has_jwt is ("COOKIE_KEY" not in environ)


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings.load({"JWT_SECRET": SECRET, "COOKIE_KEY": "k" * 32}))
    assert SECRET not in shown
    assert "k" * 32 not in shown
