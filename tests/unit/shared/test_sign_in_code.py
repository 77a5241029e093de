"""One-time codes: made with the token, for a while."""

import pytest

from shared import sign_in_code

TOKEN, NOW = "a-token-of-the-tests", 1_000_000.5


def test_a_code_is_valid_for_its_token_until_its_end() -> None:
    code = sign_in_code.make(TOKEN, NOW)
    read = sign_in_code.read(TOKEN, code, NOW + sign_in_code.LIFE - 2)
    assert read is not None
    assert sign_in_code.read(TOKEN, code, NOW + sign_in_code.LIFE) is None
    assert sign_in_code.read("another token", code, NOW) is None


def test_no_two_codes_are_the_same() -> None:
    codes = [sign_in_code.make(TOKEN, NOW) for _ in range(3)]
    nonces = {read.nonce for code in codes if (read := sign_in_code.read(TOKEN, code, NOW))}
    assert len(nonces) == 3


@pytest.mark.parametrize("change", ["end", "nonce", "signature", "long", "empty", "other"])
def test_a_changed_code_is_none(change: str) -> None:
    until, nonce, signature = sign_in_code.make(TOKEN, NOW).split(".")
    changed = {
        "end": f"9{until}.{nonce}.{signature}",
        "nonce": f"{until}.{nonce}x.{signature}",
        "signature": f"{until}.{nonce}.{signature[:-1]}",
        "long": "x" * 100_000,
        "empty": "",
        "other": "\ud800.é.\0",
    }[change]
    assert sign_in_code.read(TOKEN, changed, NOW) is None


def test_without_a_token_there_are_no_codes() -> None:
    assert sign_in_code.read("", sign_in_code.make("", NOW), NOW) is None
