"""Two texts of unique tokens: what is lost, doubled, or out of order in the second."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

TOKEN = re.compile(r"[^;]*;|[^;]+$")


@dataclass(frozen=True)
class Difference:
    """Counts of tokens; `first`: where the texts part."""

    lost: int
    doubled: int
    disordered: int
    first: str

    def __str__(self) -> str:
        counts = f"{self.lost} lost, {self.doubled} doubled, {self.disordered} out of order"
        return f"{counts}: {self.first}"


def compare(wanted: str, got: str) -> Difference | None:
    """None if the texts are the same, byte for byte."""
    if wanted == got:
        return None
    have, want = Counter(TOKEN.findall(got)), Counter(TOKEN.findall(wanted))
    position = {token: n for n, token in enumerate(TOKEN.findall(wanted))}
    order = [position[token] for token in TOKEN.findall(got) if token in position]
    disordered = sum(b < a for a, b in pairwise(order))
    at = next((n for n, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b), -1)
    at = min(len(wanted), len(got)) if at < 0 else at
    return Difference(
        (want - have).total(),
        (have - want).total(),
        disordered,
        f"at {at} of {len(wanted)}: wanted {_cut(wanted, at)}, got {_cut(got, at)}",
    )


def count(text: str) -> int:
    """How many tokens."""
    return text.count(";")


def _cut(text: str, at: int) -> str:
    return repr(text[max(0, at - 20) : at + 30])
