"""Reads a Dockerfile, and what its .dockerignore keeps from the builder. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

ANYTHING: Final = re.compile(r"\*\*/|\*\*|\*|\?|.")
PATTERNS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Stage:
    """`name` is empty for the last one; `steps`: instruction and its arguments, in order."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield instruction and arguments, in order, with continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def stages(text: str) -> list[Stage]:
    """Return the stages, in order."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    for name, rest in instructions(text):
        if name == "FROM":
            begun.append((rest, []))
        else:
            begun[-1][1].append((name, rest))
    return [_stage(head, steps) for head, steps in begun]


def _stage(head: str, steps: Sequence[tuple[str, str]]) -> Stage:
    words = [word for word in head.split() if not word.startswith("--")]
    return Stage(words[0], words[2] if len(words) > 2 else "", tuple(steps))


class Ignored:
    """The rules of a .dockerignore; the last that fits a path or a folder above it decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        rules = [line for line in lines if line and not line.startswith("#")]
        self._rules = [(not rule.startswith("!"), _compiled(rule.lstrip("!"))) for rule in rules]

    def __contains__(self, path: str) -> bool:
        """Whether this path, relative to the context, stays away."""
        parts = path.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        fitting = [
            stays for stays, rule in self._rules if any(rule.fullmatch(one) for one in above)
        ]
        return bool(fitting) and fitting[-1]


def _compiled(pattern: str) -> re.Pattern[str]:
    signs = ANYTHING.findall(pattern.strip("/"))
    return re.compile("".join(PATTERNS.get(sign) or re.escape(sign) for sign in signs))
