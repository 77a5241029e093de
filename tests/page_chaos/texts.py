"""Answers full of traps for a page that draws Markdown while it grows.

Every few words there is a mark, `m3x17e`: turn 3, the 17th mark of its answer. Marks that are shown
must follow each other without a gap, at every moment; `q3x2e` are those of the thoughts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# `@` becomes the next mark.
PIECES = [
    "## Heading @ with `code @`\n\n",
    "Plain @, *slanted @*, **bold @**, ~~struck @~~, `code @` and ***all @***. ",
    "| a @ | b @ |\n| --- | :-: |\n| 1 @ | `x \\| y` @ |\n| <b>@</b> | \\| @ |\n\n",
    "```python\nx = '@'  # <b>&amp;</b>\n\n    y = @\n```\n\n",
    "~~~html\n<script>alert('@')</script>\n```\nnot the end @\n~~~\n\n",
    "1. one @\n2. two @\n   - nested @\n\n     still nested @\n\n",
    "> quoted @\n> goes on @\n>\n> > deeper @\n\n",
    "[a link @](https://example.org/a_(b)?x=1&y=2 'title') and [one @][ref]. ",
    "[ref]: https://example.org/definition\n\n",
    "A note[^1] @.\n\n[^1]: Its text goes on.\n\n",
    "<div onclick='x()'>html @</div>\n\n",
    "inline <i>html @</i> and <!-- a comment --> @ and <img src=x onerror=y> @. ",
    "&lt;@&gt; &amp; &copy; \\*not slanted @\\* \\# @ \\\\ @. ",
    "$x^2$ @ and $$\ny_1\n$$\n\n@\n\n",
    "👩‍👩‍👧‍👦 e\u0301 @ ﷽ שלום @ مرحبا @ 漢字 @。\u200b \U0001d4b3 @ ",
    "- [ ] open @\n- [x] done @\n\n",
    "hard break @  \nnext line @\\\nthird @\n\n",
    "***\n\n",
    "https://example.org/?a=1&b=@ <https://example.org/@> ",
    "![picture @](https://example.org/p.png) @ ",
    "snake_case_@ 2*3*4 @ a * b * c @ __dunder @__ ",
    "Setext @\n===\n\n",
    "    indented code @\n\n",
    "\n\n\n@\n\n",
    "```mermaid\ngraph TD; A[one]-->B;\n```\n\n",
]
ENDS = [
    "The end @.",
    "**unclosed @",
    "`unclosed @",
    "```js\nunclosed('@')",
    "| half @ | table",
    "[half @](https://exa",
    "a backslash @ \\",
    "- @\n-",
    "<b>open @",
]
THOUGHT = "q{turn}x{{n}}e *as* <b>it</b> &amp; is\u2028 {smile}\n"
ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"path": "/tmp/a b", "count": 12345678901234567890, "ratio": 1.0, "deep": [[], {}, None]},
    {"text": '<img src=x onerror=y> \u202eRTL 👍 "quoted" \\ back', "e": "\u00e9"},
]
OUTPUTS = ["", "done", "  spaces around  \n\n", "<b>bold</b> &amp; so on", "漢字 👩‍👩‍👧‍👦"]
OUTPUTS += ['{"a": 1.10, "b": [1e400, 0.1]}', "[not json", "line\r\nline\r\n" + "x" * 300]


@dataclass(frozen=True)
class Turn:
    """`input`: what the person sends. `marks`: how many its answer has. `act`: what the person does
    meanwhile."""

    number: int
    input: str
    marks: int
    act: str


def draw_turn(rng: random.Random, session: str, number: int, act: str) -> Turn:
    """One turn; the texts of a session's turns differ."""
    count = 0

    def marked(text: str) -> str:
        nonlocal count
        parts = text.split("@")
        said = parts[0]
        for part in parts[1:]:
            count += 1
            said += f"m{number}x{count}e{part}"
        return said

    pieces = rng.sample(PIECES, rng.randint(4, 9))
    say = marked("".join(pieces) + rng.choice(ENDS))
    words = len(say.split())
    script: dict[str, Any] = {
        "say": say,
        "rate": rng.choice([15, 25, 40]),
        "tools": list(_tools(rng, words)),
    }
    if rng.random() < 0.5:
        thought = THOUGHT.format(turn=number, smile="🙂")
        script |= {"reasoning": rng.choice([3, 12]), "reasoning_text": thought}
    greeting = f"{session} turn {number} 👩‍👩‍👧 <b>&amp;</b>\n  שלום *you* "
    return Turn(number, f"{greeting}[[demo {json.dumps(script)}]]", count, act)


def _tools(rng: random.Random, words: int) -> Iterator[dict[str, Any]]:
    for number, after in enumerate(sorted(rng.sample(range(1, words), rng.choice([0, 0, 1, 2])))):
        yield {
            "after": after,
            "name": f"tool_{number}",
            "arguments": rng.choice(ARGUMENTS),
            "output": rng.choice(OUTPUTS),
            "seconds": rng.choice([0, 0.2, 1.0]),
            "error": rng.random() < 0.2,
        }
