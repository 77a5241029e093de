"""The terms of a text, by which a search finds it: the same ones for texts and for queries. Pure.

Problem: databases split texts into words at spaces, each in its own way, and Chinese, Japanese,
Korean, Thai and others are written without any. Idea: the terms are made here, and the databases
only look them up. A word is one term, in small letters and without accents. A run of characters of
a script without spaces gives each pair of neighbours, and its last character alone; so two
characters are found as a pair, and a single one as the beginning of a term.
Invariant: terms consist of letters and digits (and pictures such as emoji), never of anything that
a query language of a database could read as an operator. Their number and length are limited.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

#: Of the rules in this file. What was indexed by older ones is indexed anew when it is raised and
#: `indexed_by` of the rows is set to NULL.
VERSION: Final = 1

LONGEST: Final = 40  # characters of a term; longer words are found by their beginning
READ: Final = 100_000  # characters of a text that are read
MOST_BYTES: Final = 300_000  # of the terms of one text; PostgreSQL takes a megabyte
READ_OF_TURN: Final = 2_000_000  # characters of all texts of a turn; of the rest only BEGINNING
BEGINNING: Final = 2_000  # characters
QUERY_READ: Final = 400  # characters of a query
QUERY_TERMS: Final = 16  # terms of a query; further ones are left out
PREFIX_FROM: Final = 3  # characters of a word that is taken as the beginning of a word

# Scripts without spaces: Thai, Lao, Myanmar, Khmer, Hangul, kana, bopomofo, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3031-\u3035\u3041-\u309f"
    "\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Marks that belong to the letter before, which `\w` leaves out: accents, Hebrew, Arabic, Indic.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0963\u0966-\u0dff"
)
_PICTURES = "\u2600-\u27bf\U0001f300-\U0001faff"
_LETTER = rf"[^\W_{_UNSPACED}{_PICTURES}]"
_PIECE = re.compile(
    rf"(?P<run>[{_UNSPACED}]+)|(?P<picture>[{_PICTURES}])"
    rf"|(?P<word>{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*)"
)
_ASCII_WORD = re.compile("[a-z0-9]+")
_ACCENTS = re.compile("[\u0300-\u036f]")


@dataclass(frozen=True)
class Term:
    """A term of a query. `is_prefix`: terms that begin with it are found as well."""

    text: str
    is_prefix: bool = False


def terms_of(text: str, most: int = READ) -> list[str]:
    """Return the different terms of the text, of which `most` characters are read."""
    terms: list[str] = []
    size = 0
    for term in filter(None, dict.fromkeys(_all_terms(text[:most]))):
        size += len(term.encode())
        if size > MOST_BYTES:
            break
        terms.append(term)
    return terms


def terms_of_all(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the terms of each text, of which READ_OF_TURN characters are read together; after that
    only the BEGINNING of each, so that an enormous turn ends in time."""
    left = READ_OF_TURN
    for text in texts:
        most = min(READ, max(BEGINNING, left))
        left -= min(len(text), most)
        yield terms_of(text, most)


def query_terms(query: str) -> list[Term]:
    """Return the terms that a text must have all of; none for a query without letters."""
    found: dict[Term, None] = {}
    for piece in _PIECE.finditer(plain(query[:QUERY_READ])):
        found.update(dict.fromkeys(_query_terms(piece)))
    return list(found)[:QUERY_TERMS]


def owner_term(owner: str) -> str:
    """Return the term that each text of an owner has; no text or query can contain it."""
    return "\ue000" + hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()[:16]


def pieces(text: str) -> Iterator[re.Match[str]]:
    """Yield the words, runs and pictures of a text, as matches."""
    return _PIECE.finditer(text)


def plain(text: str) -> str:
    """Return the text in small letters, with one form for each character."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def folded(word: str) -> str:
    """Return a plain word as its term: without accents, and not longer than LONGEST."""
    if word.isascii():
        return word[:LONGEST]
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare)[:LONGEST]


def _all_terms(text: str) -> Iterator[str]:
    if text.isascii():
        yield from (word[:LONGEST] for word in dict.fromkeys(_ASCII_WORD.findall(text.lower())))
        return
    for run, picture, word in dict.fromkeys(_PIECE.findall(plain(text))):
        if word:
            yield folded(word)
        elif run:
            yield from (run[i : i + 2] for i in range(len(run)))
        else:
            yield picture


def _query_terms(piece: re.Match[str]) -> Iterator[Term]:
    text = piece.group()
    if piece.lastgroup == "word":
        term = folded(text)
        if term:
            yield Term(term, is_prefix=len(term) >= PREFIX_FROM)
    elif piece.lastgroup == "picture" or len(text) == 1:
        yield Term(text, is_prefix=piece.lastgroup == "run")
    else:
        yield from (Term(text[i : i + 2]) for i in range(len(text) - 1))
