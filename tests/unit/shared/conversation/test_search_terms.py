"""Texts and queries become the same terms, in every script, and never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation import search_terms
from shared.conversation.search_terms import (
    BEGINNING,
    LONGEST,
    MOST_BYTES,
    QUERY_TERMS,
    READ,
    READ_OF_TURN,
    Term,
    owner_term,
    query_terms,
    terms_of,
    terms_of_all,
)


def finds(query: str, text: str) -> bool:
    """As a database does: all terms of the query are terms of the text, or begin one."""
    terms, wanted = terms_of(text), query_terms(query)
    return bool(wanted) and all(_has(terms, term) for term in wanted)


def _has(terms: list[str], wanted: Term) -> bool:
    if wanted.is_prefix:
        return any(term.startswith(wanted.text) for term in terms)
    return wanted.text in terms


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("hello", "Say HELLO to her"),
        ("deploy", "the deployment of today"),
        ("cafe", "un Café"),
        ("CAFÉ", "cafe\u0301 noir"),
        ("straße", "STRASSE"),
        ("мир", "Мир и труд"),
        ("天气", "今天天气很好"),
        ("天气预报", "看天气预报吧"),
        ("好", "今天天气很好"),
        ("今", "今天天气很好"),
        ("東京", "東京タワーに行く"),
        ("タワー", "東京ﾀﾜｰに行く"),
        ("ガス", "ｶﾞｽ"),
        ("행", "은행에 갔다"),
        ("은행", "은행에 갔다"),
        ("ไทย", "ภาษาไทยง่าย"),
        ("Holdfast天气", "用holdfast看天气"),
        ("snake_case", "a snake_case name"),
        ("file.py", "see src/file.py:12"),
        ("हिन्दी", "यह हिन्दी है"),
        ("שלום", "אמר שָׁלוֹם".replace("\u05b8", "").replace("\u05c1", "").replace("\u05b9", "")),
        ("🎉", "done 🎉!"),
        ("x" * 200, "x" * 200),
        ("don't", "I don't know"),
        ("c++", "written in C"),
    ],
)
def test_is_found(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [("天气", "天很气"), ("word", "sword"), ("ab", "abc"), ("hello world", "hello"), ("猫", "狗")],
)
def test_is_not_found(query: str, text: str) -> None:
    assert not finds(query, text)


@pytest.mark.parametrize("query", ["", "***", "%_%", '"', "\x00", "()", "&|!", "\ud800", "  \n"])
def test_a_query_without_letters_has_no_terms(query: str) -> None:
    assert query_terms(query) == []


def test_operators_are_words() -> None:
    assert [term.text for term in query_terms("a AND NOT b OR NEAR(c) -d x:y")] == [
        *("a", "and", "not", "b", "or", "near", "c", "d", "x", "y")
    ]


def test_a_long_query_is_cut() -> None:
    assert len(query_terms(" ".join(f"w{n}" for n in range(5_000)))) == QUERY_TERMS
    assert query_terms("x" * 10_000) == [Term("x" * LONGEST, is_prefix=True)]


@given(st.text(max_size=300), st.text(max_size=50))
def test_terms_are_of_letters_whatever_the_text_is(text: str, owner: str) -> None:
    for term in [*terms_of(text), owner_term(owner), *(t.text for t in query_terms(text))]:
        assert 0 < len(term) <= LONGEST
        assert not set(term) & set(" \t\n\r\x00'\"\\:*&|!()<>-+^,;")
        term.encode()


@given(st.text(min_size=1, max_size=60))
def test_a_text_is_found_by_itself(text: str) -> None:
    assert finds(text, text) or not query_terms(text)


@given(st.text(alphabet="天気予報はれ한국어", min_size=1, max_size=12), st.data())
def test_each_part_of_a_run_is_found(run: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(run) - 1))
    end = data.draw(st.integers(start + 1, len(run)))
    assert finds(run[start:end], f"before {run} after")


def test_no_text_has_the_term_of_an_owner() -> None:
    assert owner_term("me") not in terms_of(f"me {owner_term('me')} {owner_term('me')[1:]}")
    assert owner_term("me") != owner_term("you")


def test_what_is_read_of_one_text_and_of_a_turn_is_bounded() -> None:
    assert "late" not in terms_of("x " * READ + "late")
    han = "".join(chr(0x20000 + n) for n in range(READ))
    assert sum(len(term.encode()) for term in terms_of(han)) <= MOST_BYTES
    texts = ["word " * (READ // 5)] * (READ_OF_TURN // READ) + ["begins " + "x " * READ + " ends"]
    last = list(terms_of_all(texts))[-1]
    assert last == ["begins", "x"]
    assert list(terms_of_all(["a" * BEGINNING, ""]))[1] == []


def test_the_rules_have_a_version() -> None:
    assert search_terms.VERSION >= 1
