"""Titles follow the rules of the gateway's API."""

import pytest

from shared.conversation.titles import LONGEST, clean_title, next_title
from shared.errors import InvalidTitle


@pytest.mark.parametrize(
    ("given", "title"),
    [
        (None, None),
        ("", None),
        (" \n\t", None),
        ("\u200b\x00", None),
        ("  a\n\tb  c ", "a b c"),
        ("a\u202eb\x1b[31m", "ab[31m"),
        ("\ud800x", "x"),
        ("天气", "天气"),
        ("x" * LONGEST + "\u200b ", "x" * LONGEST),
    ],
)
def test_a_title_is_cleaned(given: str | None, title: str | None) -> None:
    assert clean_title(given) == title


def test_a_long_title_is_refused() -> None:
    with pytest.raises(InvalidTitle, match=r"Title too long \(101 chars, max 100\)"):
        clean_title("x" * 101)


@pytest.mark.parametrize(
    ("title", "taken", "following"),
    [
        ("a", [], "a #2"),
        ("a", ["a", "a #2", "a #7", "b #9", "a #x"], "a #8"),
        ("a #3", ["a #3"], "a #4"),
        ("x" * 100, ["x" * 92 + " #2"], "x" * 92 + " #3"),
    ],
)
def test_a_copy_gets_the_next_number(title: str, taken: list[str], following: str) -> None:
    assert next_title(title, taken) == following
    assert clean_title(following) == following
