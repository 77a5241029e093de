"""TOML files as editors save them (C19)."""

import codecs
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.toml_file import parse

TEXT = '[users]\n"Zoë" = "…"\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
    ],
)
def test_each_way_of_saving_is_read(data: bytes) -> None:
    assert parse(data) == {"users": {"Zoë": "…"}}


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        ('a = "Zoë"'.encode("latin-1"), "UTF-8"),
        (codecs.BOM_UTF16_LE + b"a", "UTF-8"),
        (TEXT.encode("utf-32"), "TOML"),
        (b'a = "swordfish', "at "),
        (b"swordfish", "at "),
        (b"[a]\n[a]", "TOML"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "TOML"),
        (b"a = \0", "TOML"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_shows_nothing_of_it(
    data: bytes, advice: str
) -> None:
    with pytest.raises(ValueError, match=advice) as caught:
        parse(data)
    assert "swordfish" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(parse(data), dict)
