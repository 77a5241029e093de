"""A snippet shows where something was found, whatever the text is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.search_terms import query_terms
from shared.conversation.snippet import BEFORE, LENGTH, snippet


def marked(text: str, query: str) -> list[str]:
    found = snippet(text, query_terms(query))
    return [found.text[start:end] for start, end in found.matches]


@pytest.mark.parametrize(
    ("query", "text", "parts"),
    [
        ("need", "hay " * 100 + "the Needle\nis here", ["Needle"]),
        ("cafe", "Ein Café", ["Café"]),
        ("天气预报", "x " * 200 + "看天气预报吧", ["天气预报"]),
        ("好", "今天天气很好", ["好"]),
        ("ガス", "a ｶﾞｽ b", ["ｶﾞｽ"]),
        ("a b", "b and a", ["b", "a"]),
        ("🎉", "done 🎉", ["🎉"]),
        ("zzz", "nothing of it", []),
    ],
)
def test_the_places_are_marked(query: str, text: str, parts: list[str]) -> None:
    assert marked(text, query) == parts


def test_a_part_is_shown_with_what_stands_before() -> None:
    found = snippet("word " * 200 + "needle " + "word " * 200, query_terms("needle"))
    assert found.text.startswith("…word ")
    assert found.text.endswith("…")
    assert found.matches[0][0] <= BEFORE + 2
    assert len(found.text) <= LENGTH + 2


@given(st.text(max_size=600), st.text(max_size=20))
def test_it_is_one_line_and_its_marks_lie_in_it(text: str, query: str) -> None:
    found = snippet(text, query_terms(query))
    assert not set(found.text) & set("\n\r\t\x00\x1b\u2028\x85")
    assert all(0 <= a < b <= len(found.text) for a, b in found.matches)
    assert list(found.matches) == sorted(found.matches)
