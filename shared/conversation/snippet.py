"""The place of a message where a search found something. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.conversation.search_terms import Term, folded, pieces, plain

BEFORE: Final = 60  # characters shown before the first place
LENGTH: Final = 240  # characters

_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Snippet:
    """A part of a text, on one line. `matches`: (start, end) in `text` of what was found."""

    text: str
    matches: tuple[tuple[int, int], ...] = ()


def snippet(text: str, terms: Sequence[Term]) -> Snippet:
    """Return the part of the text around the first place that has one of the terms, or its
    beginning."""
    first = next(_places(text, terms), (0, 0))[0]
    start = _start(text, first)
    part = text[start : start + LENGTH]
    shown = _SPACE.sub(" ", part)
    lead, trail = "…" if start else "", "…" if start + LENGTH < len(text) else ""
    places = ((a + len(lead), b + len(lead)) for a, b in _places(part, terms))
    return Snippet(f"{lead}{shown}{trail}", tuple(_joined(places)))


def _start(text: str, first: int) -> int:
    """Begin a little before the place, after a space if there is one."""
    start = max(0, first - BEFORE)
    if start == 0:
        return 0
    space = _SPACE.search(text, start, first)
    return space.end() if space is not None else start


def _places(text: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Where the terms are; pieces of runs overlap."""
    for piece in pieces(text):
        written = plain(piece.group())
        if piece.lastgroup == "word":
            if any(_is_word(folded(written), term) for term in terms):
                yield piece.span()
        else:
            yield from _in_run(piece, written, terms)


def _is_word(word: str, term: Term) -> bool:
    return word.startswith(term.text) if term.is_prefix else word == term.text


def _in_run(piece: re.Match[str], written: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    found = sorted(
        (place.start(), place.end())
        for term in terms
        for place in re.finditer(re.escape(term.text), written)
    )
    if len(written) == len(piece.group()):
        yield from ((piece.start() + a, piece.start() + b) for a, b in found)
    elif found:
        yield piece.span()


def _joined(places: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbouring and overlapping places are one."""
    last: tuple[int, int] | None = None
    for start, end in places:
        if last is not None and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (start, end)
    if last is not None:
        yield last
